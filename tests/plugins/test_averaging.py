"""The average of the online weights: its formula, when it acts, and that it does not change what is learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import framework
from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.events import Callback
from framework.training.loop import Loop
from framework.types import Batch, Counters, TDErrors
from tests.framework.checkpoints.pieces import left_behind

VALUES: dict[str, Any] = {
    "run.steps": 120,
    "learning.starts": 10,
    "learning.batch_size": 8,
    "dqn.hidden": 8,
    "evaluation.every": 40,
    "evaluation.episodes": 2,
}


class WeightsSpy(Callback):
    """Records the online weights after each update."""

    def __init__(self, parts: Parts) -> None:
        self.policy: Any = parts.policy
        self.seen: list[dict[str, np.ndarray]] = []

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        self.seen.append(self.policy.state_dict()["online"])


@pytest.mark.usefixtures("float64")
@given(averaging=st.floats(0.001, 0.9))
@settings(max_examples=10)
def test_the_average_is_the_recursion_of_its_definition(averaging: float) -> None:
    parts = assemble("dqn,averaging,chain", {**VALUES, "averaging.rate": averaging})
    spy = WeightsSpy(parts)
    Loop(parts, [spy]).run()
    state: Any = parts.policy.state_dict()
    assert state["averaged"] == len(spy.seen) > 20
    for name, found in state["average"].items():
        expected = np.zeros_like(found)
        for k, weights in enumerate(spy.seen, start=1):
            share = max(averaging, 1 / k)
            expected = (1 - share) * expected + share * weights[name]
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("names", ["dqn,chain", "dqn,noisy,chain", "dqn,double,per,nstep,chain", "pqn,chain"])
def test_averaging_does_not_change_what_is_learnt(names: str) -> None:
    found = []
    for more in ("", "averaging,"):
        parts = assemble(
            f"{more}{names}", {path: VALUES[path] for path in VALUES if "pqn" not in names or "learning" not in path}
        )
        Loop(parts).run()
        found.append(parts.policy.state_dict()["online"])
    np.testing.assert_equal(*found)


def test_the_average_acts_without_exploration_and_the_online_network_with_it() -> None:
    parts = assemble("dqn,averaging,chain", {**VALUES, "averaging.rate": 0.01})
    Loop(parts).run()
    policy: Any = parts.policy
    obs = np.arange(5)
    with torch.inference_mode():
        online, average = (net(policy.tensor(obs)).values.numpy() for net in (policy.online, policy.average))
    assert not np.allclose(online, average)
    np.testing.assert_array_equal(policy.action_values(obs, explore=True), online)
    np.testing.assert_array_equal(policy.action_values(obs, explore=False), average)


def test_weights_saved_without_an_average_become_the_average() -> None:
    plain = assemble("dqn,chain", VALUES)
    Loop(plain).run()
    averaged = assemble("dqn,averaging,chain", {**VALUES, "averaging.rate": 0.01})
    averaged.policy.load_state_dict(plain.policy.state_dict())
    state: Any = averaged.policy.state_dict()
    np.testing.assert_equal(state["average"], state["online"])


def test_a_run_with_averaging_is_resumed_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framework.recording.figures.draw_figures", lambda folder: [])
    values = {**VALUES, "averaging.rate": 0.05, "checkpoint.every": 30}
    framework.train(assemble("dqn,averaging,grid", {**values, "run.steps": 100}), tmp_path / "one")
    framework.train(assemble("dqn,averaging,grid", {**values, "run.steps": 55}), tmp_path / "two")
    framework.resume(tmp_path / "two", {"run.steps": 100})
    assert left_behind(tmp_path / "one") == left_behind(tmp_path / "two")
    agent = framework.load(tmp_path / "one")
    policy: Any = agent.policy
    with torch.inference_mode():
        average = policy.average(policy.tensor(np.arange(4))).values.numpy()
    np.testing.assert_array_equal(policy.action_values(np.arange(4), explore=False), average)
