"""Evaluations that a process plays while training goes on: the same results, at a later step, in every detail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from copy import copy, deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import framework
from framework.assembly.manager import PluginError
from framework.assembly.parts import Parts
from framework.config import Source
from framework.errors import FrameworkError
from framework.events import Callback, EvaluationResult
from framework.options import RunOptions
from framework.recording import load_state
from framework.training.aside import EvaluationProcess
from framework.training.evaluation import evaluate
from framework.training.evaluations import Waiting
from framework.training.loop import Loop
from framework.training.resume import reopen
from framework.types import Counters, State, Step
from tests.framework.checkpoints.pieces import left_behind
from tests.waiting import alive, children, wait_for

pytestmark = pytest.mark.usefixtures("no_figures")

VALUES: dict[str, Any] = {
    "run.steps": 900,
    "run.episodes": None,
    "run.until": None,
    "evaluation.every": 200,
    "evaluation.episodes": 3,
    "evaluation.epsilon": 0.1,
}


class Here:
    """Plays evaluations in this process, with a policy of its own: the reference."""

    def __init__(self, parts: Parts) -> None:
        self._agent = copy(parts)
        self._agent.policy = deepcopy(parts.policy)
        self._goal = parts.config[RunOptions].until
        self._asked: tuple[str, int, int] = "", 0, 0

    def check(self) -> None:
        """The agent is there."""

    def begin(self, name: str, episodes: int, first: int, weights: State | None) -> None:
        if weights is not None:
            self._agent.policy.load_state_dict(weights)
        self._asked = name, episodes, first

    def result(self, waiting: Waiting) -> EvaluationResult:
        waiting(None)
        name, episodes, first = self._asked
        goal = self._goal
        return evaluate(self._agent, name=name, episodes=episodes, first=first, goal=goal, after_step=waiting)


class Diary(Callback):
    """What happened: the evaluations with the step at which each came, and the policy's table at each step."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.came: list[tuple[int, int, EvaluationResult]] = []
        self.tables: dict[int, np.ndarray] = {}

    def on_step(self, step: Step, counters: Counters) -> None:
        self.tables[counters.env_steps] = table(self._parts.policy.state_dict())

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        self.came.append((counters.env_steps, self._parts.counters.env_steps, result))


def table(state: State) -> np.ndarray:
    return np.concatenate([np.ravel(value) for value in state.values() if isinstance(value, np.ndarray)])


def played(values: dict[str, Any], kind: Any) -> Diary:
    parts = framework.assemble("tabular,grid", {**VALUES, **values})
    diary = Diary(parts)
    aside = kind(parts) if kind is not None else None
    try:
        Loop(parts, [diary], aside=aside).run()
    finally:
        if isinstance(aside, EvaluationProcess):
            aside.close()
    return diary


def outcomes(diary: Diary) -> list[Any]:
    return [(at, here, result.returns, result.lengths, result.confirmed) for at, here, result in diary.came]


@settings(max_examples=25)
@given(
    every=st.integers(20, 300),
    share=st.floats(0.01, 1.5),
    num_envs=st.integers(1, 3),
    steps=st.integers(1, 900),
    until=st.sampled_from([None, -300.0, 0.5]),
)
def test_a_result_is_that_of_the_weights_of_its_step_and_counts_when_the_lag_is_over(
    every: int, share: float, num_envs: int, steps: int, until: float | None
) -> None:
    lag = max(1, int(share * every))
    values = {"evaluation.every": every, "run.num_envs": num_envs, "run.steps": steps, "run.until": until}
    late = played({**values, "evaluation.lag": lag}, Here)
    at_once = played({**values, "run.until": None}, None)
    assert [at for at, _, _ in late.came] == [at for at, _, _ in at_once.came[: len(late.came)]]
    for (at, here, result), (_, _, expected) in zip(late.came, at_once.came, strict=False):
        last = max(late.tables)
        next_one = (at // every + 1) * every
        due = next((step for step in sorted(late.tables) if step >= min(at + lag, next_one)), last)
        assert here == min(due, last)
        assert (result.returns, result.lengths) == (expected.returns, expected.lengths)
        assert result.weights is not None
        assert np.array_equal(table(result.weights), late.tables[at])
    for step, weights in late.tables.items():
        assert np.array_equal(weights, at_once.tables[step])
    if until == -300.0 and steps >= every:
        assert len(late.came) == 1, "the first evaluation ends the run"
    elif until is None:
        assert len(late.came) == len(at_once.came)


@pytest.mark.parametrize("first", [0, 1])
def test_the_process_plays_what_this_process_would_play(first: int) -> None:
    values = {"evaluation.lag": 150, "run.until": -300.0, "evaluation.confirm": 4, "evaluation.first": first}
    there, here = played(values, EvaluationProcess), played(values, Here)
    assert outcomes(there) == outcomes(here)
    assert [result.confirmation for _, _, result in there.came] == [False, True]
    assert max(there.tables) == 350


def test_the_process_ends_an_evaluation_that_cannot_reach_the_goal() -> None:
    values = {"evaluation.lag": 150, "run.until": 1e9, "evaluation.first": 1}
    there, here = played(values, EvaluationProcess), played(values, Here)
    assert outcomes(there) == outcomes(here)
    assert [len(result.returns) for _, _, result in there.came] == [1] * 4


def test_the_best_weights_are_the_evaluated_ones(tmp_path: Path) -> None:
    values = {**VALUES, "evaluation.lag": 200, "run.steps": 400}
    parts = framework.assemble("tabular,grid", values)
    diary = Diary(parts)
    framework.train(parts, tmp_path, callbacks=[diary])
    saved = load_state(tmp_path / "best" / "evaluation.safetensors")
    best = max(diary.came, key=lambda entry: entry[2].mean)
    assert np.array_equal(table(saved), diary.tables[best[0]])


@pytest.mark.parametrize("stop", [150, 250, 320, 400, 401])
def test_a_run_that_stops_during_an_evaluation_continues_exactly(tmp_path: Path, stop: int) -> None:
    values = {**VALUES, "evaluation.lag": 120, "checkpoint.every": 10_000, "run.steps": 600}
    framework.train(framework.assemble("tabular,grid", values), tmp_path / "one")

    class Stops(Callback):
        def on_step(self, step: Step, counters: Counters) -> None:
            if counters.env_steps == stop:
                os.kill(os.getpid(), signal.SIGINT)

    assert framework.train(
        framework.assemble("tabular,grid", values), tmp_path / "two", callbacks=[Stops()]
    ).interrupted
    framework.resume(tmp_path / "two")
    assert left_behind(tmp_path / "two") == left_behind(tmp_path / "one")


def test_a_stop_while_the_next_evaluation_is_due_loses_none(tmp_path: Path) -> None:
    values = {**VALUES, "evaluation.lag": 200, "checkpoint.every": 10_000, "run.steps": 700}
    framework.train(framework.assemble("tabular,grid", values), tmp_path / "one")

    class Stops(Callback):
        def on_evaluation_start(self, counters: Counters) -> None:
            if counters.env_steps == 400:
                os.kill(os.getpid(), signal.SIGINT)

    framework.train(framework.assemble("tabular,grid", values), tmp_path / "two", callbacks=[Stops()])
    framework.resume(tmp_path / "two")
    assert left_behind(tmp_path / "two") == left_behind(tmp_path / "one")


def test_a_run_with_a_later_end_continues_exactly(tmp_path: Path) -> None:
    """At its first end, an evaluation was under way: its result came early then, and comes in time now."""
    values = {**VALUES, "evaluation.lag": 150}
    framework.train(framework.assemble("tabular,grid", {**values, "run.steps": 700}), tmp_path / "one")
    framework.train(framework.assemble("tabular,grid", {**values, "run.steps": 450}), tmp_path / "two")
    reopened = reopen(tmp_path / "two", sources=[Source("test", {"run.steps": 700})])
    framework.train(reopened.parts, tmp_path / "two", checkpoint=reopened.checkpoint)
    assert left_behind(tmp_path / "two") == left_behind(tmp_path / "one")


FAULTY = """
from framework.hooks import hookimpl
from envs import grid
import os, gymnasium, time

class Faulty(gymnasium.Wrapper):
    def step(self, action):
        {fault}

@hookimpl
def env_wrapper(role):
    return Faulty if role == "evaluate" else lambda env: env
"""


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("raise ValueError('sick')", PluginError, r"faulty\.py:\d+, in step\): ValueError: sick"),
        ("os._exit(3)", FrameworkError, r"ended with exit code 3.* evaluation\.lag=0"),
        ("os.kill(os.getpid(), 9)", FrameworkError, r"ended with signal 9.* evaluation\.lag=0"),
    ],
)
def test_an_evaluation_that_fails_ends_the_run_by_name(
    tmp_path: Path, fault: str, error: type[Exception], message: str
) -> None:
    (tmp_path / "faulty.py").write_text(FAULTY.format(fault=fault))
    parts = framework.assemble(f"tabular,grid,{tmp_path / 'faulty.py'}", {**VALUES, "evaluation.lag": 10})
    with pytest.raises(error, match=message):
        framework.train(parts)


def test_an_agent_that_the_process_cannot_build_is_an_error() -> None:
    import gymnasium

    class OnlyHere(gymnasium.Env[Any, Any]):
        observation_space, action_space = gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(2)

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            super().reset(seed=seed)
            return 0, {}

        def step(self, action: Any) -> Any:
            return 1, 0.0, True, False, {}

    gymnasium.register("OnlyHere-v0", OnlyHere)
    values = {"run.steps": 10_000_000, "evaluation.every": 9_000_000, "evaluation.lag": 9}
    parts = framework.assemble("tabular,gym:OnlyHere-v0", values)
    with pytest.raises(FrameworkError, match=r"cannot build the agent: gym:OnlyHere-v0.*evaluation\.lag=0"):
        framework.train(parts)
    assert parts.counters.env_steps < 9_000_000, "before the first evaluation"


def test_a_stop_ends_the_waiting(tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text(FAULTY.format(fault="time.sleep(600)"))
    parts = framework.assemble(f"tabular,grid,{tmp_path / 'faulty.py'}", {**VALUES, "evaluation.lag": 10})

    class Stops(Callback):
        def on_evaluation_start(self, counters: Counters) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    began = time.monotonic()
    outcome = framework.train(parts, callbacks=[Stops()])
    assert outcome.stopped_by == signal.SIGTERM
    assert outcome.counters.env_steps == 210
    assert time.monotonic() - began < 60


def test_the_process_ends_with_the_run_even_if_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "framework", "run", "--plugins", "tabular,chain", "--eval-every", "100000"]
    command += ["--steps", "100000000", "--set", "evaluation.lag=5", "--run-dir", str(tmp_path / "run")]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: children(run.pid, "framework.training.aside") or run.poll() is not None)
        (process,) = children(run.pid, "framework.training.aside")
    finally:
        run.kill()
        run.wait()
    wait_for(lambda: not alive(process.pid))
