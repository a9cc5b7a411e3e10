"""Each warning comes where its fault is provoked, once, and never in runs that learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import framework
from framework.events import Episode
from framework.recording import read_rows
from framework.recording.diagnosis import FIRST_EPISODES, IN_A_ROW, LAST_EPISODES, ROWS_OF_ONE_ACTION, Diagnosis
from framework.types import Counters, Step

HEALTHY = {"loss": 0.1, "value_max": 1.0, "value_mean": 0.5, "greedy_share": 0.6}


class Fixed:
    """An exploration that reports an ε, or none."""

    def __init__(self, epsilon: float | None) -> None:
        self.epsilon = epsilon

    def metrics(self, counters: Counters) -> dict[str, float]:
        return {} if self.epsilon is None else {"epsilon": self.epsilon}


class Observed:
    """A diagnosis and what it told."""

    def __init__(self, gamma: float = 0.9, epsilon: float | None = 0.1, untrained: bool = True) -> None:
        self.told: list[str] = []
        self.exploration = Fixed(epsilon)
        self.diagnosis = Diagnosis(self.exploration, gamma, self.told.append, untrained=untrained)  # type: ignore[arg-type]
        self.episodes = 0

    def reward(self, *rewards: float) -> None:
        rows = len(rewards)
        no, zeros, numbers = np.zeros(rows, np.bool_), np.zeros(rows, np.int64), np.array(rewards)
        self.diagnosis.step(Step(np.arange(rows), no, zeros, zeros, numbers, numbers, no, no, zeros))

    def play(self, count: int, total: float, length: int) -> None:
        for _ in range(count):
            self.episodes += 1
            self.diagnosis.episode(Episode(self.episodes, 0, total, length), Counters())

    def rows(self, count: int, **numbers: float) -> list[str]:
        return [text for _ in range(count) for text in self.diagnosis.examine({**HEALTHY, **numbers})]


@pytest.mark.parametrize("value", [21.0, -21.0])
def test_values_beyond_what_the_rewards_allow(value: float) -> None:
    seen = Observed(gamma=0.9)
    assert seen.rows(5, value_max=value, value_mean=value) == [], "no reward is known yet"
    seen.reward(0.5, -1.0)
    assert seen.rows(IN_A_ROW - 1, value_max=value, value_mean=value) == []
    (text,) = seen.rows(5, value_max=value, value_mean=value)
    assert "action values reach 21, but no return exceeds 10 " in text and "rewards up to 1, γ = 0.9" in text
    assert seen.told == [f"warning: {text}"]


def test_values_within_the_margin_or_for_a_moment_are_not_told() -> None:
    seen = Observed(gamma=0.9)
    seen.reward(1.0)
    for _ in range(5):
        assert seen.rows(IN_A_ROW - 1, value_max=1e9) == seen.rows(1, value_max=19.9) == []
    without = Observed(gamma=1.0)
    without.reward(1.0)
    assert without.rows(9, value_max=1e9, loss=1e9) == []


def test_a_loss_that_explodes() -> None:
    seen = Observed(gamma=0.9)
    seen.reward(1.0)
    assert seen.rows(5, loss=390.0) == seen.rows(2, loss=5.0) == []
    assert len(seen.rows(9, loss=401.0)) == 1
    constant = Observed(gamma=0.0)  # a loss in other units, such as a divergence
    constant.reward(1.0)
    assert constant.rows(9, loss=3.9) == []


@pytest.mark.parametrize(
    ("last", "length", "epsilon", "warned"),
    [(-200.0, 200, 0.1, True), (-199.0, 200, 0.1, False), (-200.0, 150, 0.1, False), (-200.0, 200, None, False)],
)
def test_no_progress_after_exploration_is_over(last: float, length: int, epsilon: float | None, warned: bool) -> None:
    seen = Observed(epsilon=epsilon)
    seen.play(FIRST_EPISODES, -200.0, 200)
    seen.play(LAST_EPISODES + 1, last, length)
    assert len(seen.rows(3)) == warned


def test_values_that_come_down_from_optimistic_ones_are_not_told() -> None:
    seen = Observed(gamma=0.9)
    seen.reward(1.0)
    for value in np.geomspace(1e6, 1.0, 50).tolist():
        assert seen.rows(1, value_max=value) == []


def test_a_loss_of_zero_is_not_the_smallest() -> None:
    seen = Observed(gamma=0.0)
    seen.reward(1.0, -1.0)
    assert seen.rows(2, loss=0.0) == seen.rows(9, loss=4.1) == []


@given(length=st.integers(1, 100), horizon=st.sampled_from([3_000, 100_000, 1_000_000]), shape=st.booleans())
@settings(max_examples=20)
def test_no_progress_while_epsilon_falls_is_not_told(length: int, horizon: int, shape: bool) -> None:
    seen = Observed()
    steps = length * np.arange(1, 300)
    falling = 1 - 0.95 * steps / horizon if shape else 0.01 + np.exp(-steps / horizon)
    for epsilon in falling[falling > 0.05].tolist():
        seen.exploration.epsilon = epsilon
        seen.play(1, 0.0, 10)
        assert seen.rows(1) == []
    seen.play(LAST_EPISODES + FIRST_EPISODES + 1, 0.0, 10)
    assert len(seen.rows(3)) == 1


def test_the_episodes_of_a_trained_agent_are_compared_with_nothing() -> None:
    started, resumed = Observed(untrained=False), Observed()
    resumed.diagnosis.forget_the_beginning()
    for seen in (started, resumed):
        seen.play(3 * LAST_EPISODES, 1.0, 10)
        assert seen.rows(2 * ROWS_OF_ONE_ACTION, greedy_share=1.0) == []
        later = Observed()
        later.diagnosis.load_state_dict(seen.diagnosis.state_dict())
        assert later.rows(2 * ROWS_OF_ONE_ACTION, greedy_share=1.0) == []


def test_one_action_everywhere_is_told_only_without_progress() -> None:
    seen = Observed(epsilon=None)
    seen.play(FIRST_EPISODES, 1.0, 10)
    assert seen.rows(2 * ROWS_OF_ONE_ACTION, greedy_share=1.0) == [], "too few episodes"
    seen.play(LAST_EPISODES, 1.0, 5)
    assert seen.rows(2 * ROWS_OF_ONE_ACTION, greedy_share=1.0) == [], "shorter: the chain's best policy is one action"
    seen.play(LAST_EPISODES, 1.0, 10)
    assert seen.rows(ROWS_OF_ONE_ACTION - 1, greedy_share=1.0) == []
    (text,) = seen.rows(3, greedy_share=1.0)
    assert "one action in every state" in text


def test_a_resumed_run_says_nothing_twice_and_forgets_nothing() -> None:
    whole, parts = Observed(), [Observed(), Observed()]

    def story(seen: Observed, half: int) -> list[str]:
        seen.reward(1.0 if half == 0 else 0.5)
        seen.play(80, 0.0, 10)
        return seen.rows(2, value_max=30.0, loss=500.0 if half else 1.0, greedy_share=1.0)

    expected = [story(whole, half) for half in (0, 1)]
    found = [story(parts[0], 0)]
    parts[1].diagnosis.load_state_dict(parts[0].diagnosis.state_dict())
    parts[1].episodes = 80
    found.append(story(parts[1], 1))
    assert found == expected
    assert sum(map(len, expected)) > 0


class Walk(gymnasium.Env[np.ndarray, np.int64]):
    """Ten steps; the reward is 1 for the action 1."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, Any]:
        super().reset(seed=seed)
        self._steps = 0
        return self.np_random.random(2, np.float32), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        return self.np_random.random(2, np.float32), float(action), self._steps == 10, False, {}


gymnasium.register("test/Walk-v0", Walk)  # type: ignore[arg-type]

UPHILL = """
from dataclasses import replace
from framework.hooks import hookimpl

class Uphill:
    def __init__(self, optimizer):
        self.optimizer = optimizer

    def apply(self, batch, errors):
        self.optimizer.apply(batch, replace(errors, update=-errors.update))

@hookimpl(wrapper=True)
def make_optimizer():
    optimizer = yield
    return Uphill(optimizer)
"""
"""A plugin with a wrong sign: it makes the loss larger."""

RANDOM = {"dqn.learning_rate": 1e-12, "exploration.start": 1.0, "exploration.final": 1.0}

WARNINGS: dict[str, tuple[dict[str, float], str]] = {
    "values": ({"returns.gamma": 0.9, "run.steps": 3_000}, "the values diverge"),
    "loss": ({"returns.gamma": 0.9, "run.steps": 3_000}, "learning diverges"),
    "no_progress": ({**RANDOM, "run.steps": 3_000}, "are no better than the first"),
    "one_action": ({**RANDOM, "run.steps": 9_000}, "one action in every state"),
}


@pytest.mark.parametrize("fault", WARNINGS)
def test_a_broken_run_says_so(fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values, text = WARNINGS[fault]
    (tmp_path / "uphill.py").write_text(UPHILL)
    plugins = (
        f"dqn,gym:test/Walk-v0,{tmp_path / 'uphill.py'}" if fault in ("values", "loss") else "dqn,gym:test/Walk-v0"
    )
    for seed in range(4):  # whether random episodes get better by chance, and what a random network prefers, varies
        learning = {"learning.starts": 100, "learning.updates_per_step": 1.0, "run.seed": seed}
        framework.train(framework.assemble(plugins, {**learning, **values}), tmp_path / str(seed), show_progress=True)
        rows = [row for row in read_rows(tmp_path / str(seed) / "metrics.jsonl") if row["kind"] == "warning"]
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
        assert lines == [f"warning: {row['warning']}" for row in rows]
        if any(text in line for line in lines):
            return
    pytest.fail(f"no run warned: {text}")


HEALTHY_RUNS = [
    *[(plugins, "chain", seed) for plugins in ("tabular", "dqn", "dqn,per,double", "rainbow") for seed in (0, 1)],
    *[(plugins, "grid", seed) for plugins in ("tabular", "dqn", "dqn,munchausen") for seed in (0, 1)],
    *[("tabular", environment, 0) for environment in ("gym:FrozenLake-v1", "gym:Taxi-v4", "gym:CliffWalking-v1")],
    *[("dqn", "cartpole", seed) for seed in (0, 1)],
    ("pqn", "cartpole", 0),
]


@pytest.mark.slow
@pytest.mark.parametrize(("plugins", "environment", "seed"), HEALTHY_RUNS)
def test_a_run_that_learns_is_not_warned(plugins: str, environment: str, seed: int, tmp_path: Path) -> None:
    values = {"run.seed": seed, "run.steps": 20_000, "evaluation.every": 0, "run.until": None}
    framework.train(framework.assemble(f"{plugins},{environment}", values), tmp_path)
    assert [row for row in read_rows(tmp_path / "metrics.jsonl") if row["kind"] == "warning"] == []


def test_there_are_twenty_healthy_runs() -> None:
    assert len(HEALTHY_RUNS) == len(set(HEALTHY_RUNS)) >= 20
