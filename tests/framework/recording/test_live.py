"""Progress in a terminal: figures that are redrawn."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from framework.events import EvaluationProgress, EvaluationResult
from framework.recording.live import REFRESH_SECONDS, LiveProgress
from framework.types import Counters
from tests.framework.recording.consoles import progress, shown, terminal

NO_STEP: Any = None


def test_a_terminal_shows_figures_that_move(scripted: Callable[..., Any]) -> None:
    run, console = scripted(), terminal()
    live = progress(run, console, steps=200)
    run.start(live)
    run.counters.updates = 1234
    run.episode(-21.0)
    run.episode(-19.0)
    run.evaluation(7.5)
    time.sleep(0.3)
    live.on_step(NO_STEP, run.counters)
    run.end()
    last = shown(console).rstrip().splitlines()[-3:]
    assert last[0].startswith("200 steps ━")
    assert " 10% " in last[0]
    assert re.match(r"step 20 \| \d+ steps/s \| \d+ updates/s \| episode 2 \| epsilon 0.333", last[1])
    assert last[2].strip() == "return -19.0 | mean of last 100 -20.00 | best -19.0 | last evaluation 7.50"
    assert run.callbacks[0]._live.is_started is False


@pytest.mark.parametrize("width", [20, 80])
def test_a_live_display_without_end_epsilon_or_episode(scripted: Callable[..., Any], width: int) -> None:
    run, console = scripted(reports=False), terminal(width)
    run.start(progress(run, console))
    run.end()
    text = " ".join(shown(console).split())
    assert "best –" in text
    assert "epsilon" not in text


@pytest.mark.parametrize(
    ("ends", "evaluations", "expected"),
    [
        ({"steps": 40}, [], ("40 steps", 0.5)),
        ({"steps": 40, "episodes": 2500}, [], ("40 steps", 0.5)),
        ({"steps": 4000, "episodes": 4}, [], ("4 episodes", 0.5)),
        ({"steps": 4000, "until": 18.0}, [-2.0, 13.0], ("evaluation of 18", 0.75)),
        ({"steps": 40, "until": 18.0}, [-2.0, -7.0], ("40 steps", 0.5)),
        ({"until": 18.0}, [], ("evaluation of 18", 0.0)),
        ({"until": 18.0}, [20.0], ("evaluation of 18", 1.0)),
        ({"steps": 10}, [], ("10 steps", 1.0)),
        ({}, [], ("training", 0.0)),
    ],
)
def test_the_bar_goes_to_the_nearest_end(
    scripted: Callable[..., Any], ends: dict[str, float], evaluations: list[float], expected: tuple[str, float]
) -> None:
    run = scripted()
    live = progress(run, terminal(), **ends)
    assert isinstance(live, LiveProgress)
    run.start(live)
    run.episode(1.0)
    run.episode(1.0)
    for mean in evaluations:
        run.evaluation(mean)
    run.end()
    (task,) = live._progress.tasks
    assert (task.description, task.completed) == expected
    assert task.total == (1.0 if ends else None)


def test_a_step_draws_nothing_until_the_display_is_due(
    scripted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of the tabular agent takes microseconds, and a new text takes more."""
    now, drawn = 0.0, 0
    monkeypatch.setattr("framework.recording.live.monotonic", lambda: now)
    run = scripted()
    live = progress(run, terminal(), steps=10_000)
    assert isinstance(live, LiveProgress)
    refresh = live._refresh

    def counted(counters: Counters) -> None:
        nonlocal drawn
        drawn += 1
        refresh(counters)

    monkeypatch.setattr(live, "_refresh", counted)
    run.start(live)
    for _ in range(1_000):
        now += 0.001
        live.on_step(NO_STEP, run.counters)
    live.on_end(run.counters)
    assert 2 <= drawn <= 3 + 1 / REFRESH_SECONDS


def test_the_result_of_older_weights_leaves_the_counters_of_training(scripted: Callable[..., Any]) -> None:
    """With evaluation.lag, a result comes with the counters of the evaluated weights."""
    run, console = scripted(), terminal()
    live = progress(run, console, steps=200)
    run.start(live)
    run.counters.env_steps = 100
    live.on_evaluation(EvaluationResult((1.0,), (1,), 1, 0.0, 0.0), Counters(env_steps=40))
    assert "step 100 |" in live._text.plain
    assert [steps for _, steps, _ in live._samples] == [100]
    live.on_evaluation_progress(EvaluationProgress(3, 100, confirmation=True), run.counters)
    assert live._progress.tasks[0].description == "waiting for the confirmation, 3 of 100 episodes"
    run.end()
