"""The numbers of a learning row are those of the last update and of the steps before it, and cost the run nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import framework
from framework.assembly.parts import Parts
from framework.events import Callback
from framework.recording import read_rows
from framework.recording.learning import FEWEST_ROWS, Learning
from framework.training.loop import Loop
from framework.types import Batch, Counters, Step, TDErrors

SMALL = {"run.steps": 1_300, "learning.starts": 50, "learning.updates_per_step": 1.0, "dqn.hidden": 8}


class Watching(Callback):
    """Keeps what a run shows, and the numbers of a row after the update with each of these numbers."""

    def __init__(self, parts: Parts, at: frozenset[int]) -> None:
        self.parts, self.learning, self.at = parts, Learning(parts), at
        self.actions: list[int] = []
        self.found: list[tuple[dict[str, float], dict[str, float]]] = []

    def on_step(self, step: Step, counters: Counters) -> None:
        self.learning.step(step)
        self.actions += step.action.tolist()

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        self.learning.update(batch, errors)
        if counters.updates not in self.at:
            return
        values = self.parts.policy.action_values(batch.obs, explore=False)
        names = [self.parts.spaces.name_of(action) for action in range(self.parts.spaces.num_actions)]
        expected = {
            "td_error": sum(errors.priority.tolist()) / len(batch),
            "value_mean": sum(max(row) for row in values.tolist()) / len(batch),
            "value_max": max(max(row) for row in values.tolist()),
            **({"greedy_share": _largest_share(values)} if len(batch) >= FEWEST_ROWS else {}),
            **{
                f"taken/{name}": self.actions.count(place) / len(self.actions)
                for place, name in enumerate(names)
                if self.actions
            },
        }
        self.actions.clear()
        self.found.append((self.learning.numbers(), expected))


def _largest_share(values: np.ndarray) -> float:
    return float(max(np.bincount([int(np.argmax(row)) for row in values])) / len(values))


@given(at=st.frozensets(st.integers(1, 60), min_size=1, max_size=4), plugins=st.sampled_from(["dqn", "tabular"]))
@settings(max_examples=10)
def test_a_row_is_about_the_last_update_and_the_steps_since_the_row_before(at: frozenset[int], plugins: str) -> None:
    values = {"run.steps": 150, "run.num_envs": 2}
    learning = {"learning.starts": 20, "learning.updates_per_step": 0.5, "learning.batch_size": 8}
    parts = framework.assemble(f"{plugins},chain", values | (learning if plugins == "dqn" else {}))
    assert learning["learning.batch_size"] == FEWEST_ROWS
    watching = Watching(parts, at)
    Loop(parts, [watching]).run()
    parts.close()
    assert len(watching.found) == len(at)
    for found, expected in watching.found:
        own = {name: number for name, number in found.items() if "/" not in name or name.startswith("taken/")}
        assert own == pytest.approx(expected)


@pytest.mark.parametrize("plugins", ["dqn,noisy", "dqn,iqn", "dqn,per,averaging", "dqn,double,boltzmann"])
def test_the_numbers_change_nothing(plugins: str, tmp_path: Path) -> None:
    def weights(folder: Path | None) -> Any:
        parts = framework.assemble(f"{plugins},chain", SMALL)
        if folder is None:
            Loop(parts).run()
            parts.close()
        else:
            framework.train(parts, folder)
            rows = [row for row in read_rows(folder / "metrics.jsonl") if row["kind"] == "learning"]
            assert len(rows) > 1 and all("value_mean" in row for row in rows)
        return parts.policy.state_dict()

    flat = [_flat(weights(folder)) for folder in (None, tmp_path / "run")]
    assert flat[0].keys() == flat[1].keys()
    for name, array in flat[0].items():
        np.testing.assert_array_equal(array, flat[1][name], err_msg=name)


def _flat(state: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(state, dict):
        return {name: state}
    return {key: value for part, inner in state.items() for key, value in _flat(inner, f"{name}/{part}").items()}


def test_a_state_keeps_the_actions_that_no_row_has_counted() -> None:
    parts = framework.assemble("tabular,chain", {"run.steps": 1})
    step = _step(parts, [1])
    before, after = Learning(parts), Learning(parts)
    for _ in range(3):
        before.step(step)
    after.step(step)  # what a state replaces does not count
    after.load_state_dict(before.state_dict())
    after.step(_step(parts, [0]))
    parts.close()
    assert sorted(after.numbers().values()) == [0.25, 0.75]
    assert after.numbers() == {}, "a row counts anew"


def test_many_steps_without_an_update_take_little_memory() -> None:
    parts = framework.assemble("tabular,chain", {"run.steps": 1})
    learning, step = Learning(parts), _step(parts, [1])
    for _ in range(5_000):
        learning.step(step)
    parts.close()
    assert len(learning._waiting) < 1_001
    assert max(learning.numbers().values()) == 1.0


def _step(parts: Parts, actions: list[int]) -> Step:
    rows, no = len(actions), np.zeros(len(actions), np.bool_)
    obs, zeros = np.zeros(rows, np.int64), np.zeros(rows)
    return Step(np.arange(rows), no, obs, np.array(actions), zeros, zeros, no, no, obs)


@pytest.mark.parametrize("limit", [0.0, 1e-3, 1e6])
def test_the_gradient_norm_is_that_of_the_gradient_before_the_limit(limit: float) -> None:
    parts = framework.assemble("dqn,cartpole", {**SMALL, "dqn.max_grad_norm": limit})
    for _ in range(100):
        parts.collector.begin(parts.counters)
        parts.buffer.add(parts.collector.finish())
    batch = parts.buffer.sample(16, parts.counters)
    errors = parts.loss(batch, parts.counters)
    weights = list(parts.policy.online.parameters())  # type: ignore[attr-defined]
    gradients = torch.autograd.grad(errors.update.mean(), weights, retain_graph=True)
    wanted = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    parts.optimizer.apply(batch, errors)
    learning = Learning(parts)
    learning.update(batch, errors)
    found = learning.numbers()
    parts.close()
    assert found["optimizer/gradient_norm"] == pytest.approx(float(wanted), rel=1e-5)


@given(envs=st.integers(1, 3), capacity=st.integers(12, 30), steps=st.integers(5, 60), rows=st.integers(1, 8))
@settings(max_examples=25)
def test_the_age_of_a_transition_counts_the_frames_since_it(envs: int, capacity: int, steps: int, rows: int) -> None:
    parts = framework.assemble("dqn,cartpole", {**SMALL, "run.num_envs": envs, "replay.capacity": capacity * envs})
    frames = np.zeros(envs, np.int64)
    for _ in range(steps):
        parts.collector.begin(parts.counters)
        step = parts.collector.finish()
        parts.buffer.add(step)
        frames[step.env_id] += 1 + step.first  # a step has two frames, and the first of them is mostly there already
    batch = parts.buffer.sample(rows, parts.counters)
    age = parts.buffer.measures()["age"]  # type: ignore[attr-defined]
    parts.close()
    wanted = [(frames[number % envs] - 1 - number // envs) * envs for number in batch.ids.tolist()]
    assert age == pytest.approx(np.mean(wanted))


@given(weights=st.lists(st.floats(0.1, 10), min_size=1, max_size=8))
def test_the_effective_share_of_priorities(weights: list[float]) -> None:
    parts = framework.assemble("dqn,per,chain", {"per.alpha": 1.0, "replay.capacity": 64})
    sampler: Any = parts.sampler
    ids = np.arange(len(weights))
    sampler.activate(ids)
    sampler.reprioritize(ids, np.array(weights) - 1e-6)
    parts.close()
    wanted = sum(weights) ** 2 / sum(weight**2 for weight in weights) / len(weights)
    assert sampler.measures()["effective_share"] == pytest.approx(wanted)
