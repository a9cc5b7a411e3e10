from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from framework.events import Callback
from framework.recording import progress_callback
from framework.recording.live import LiveProgress

NO_STEP: Any = None


def progress(run: Any, console: Console, **ends: Any) -> Callback:
    return progress_callback(
        run.statistics, run.exploration, **{"steps": None, "episodes": None, "until": None} | ends, console=console
    )


def terminal(width: int = 120) -> Console:
    return Console(
        force_terminal=True,
        file=io.StringIO(),
        width=width,
        legacy_windows=False,
        color_system=None,
        _environ={"TERM": "xterm"},
    )


def shown(console: Console) -> str:
    """What was printed, without control sequences."""
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", console.file.getvalue())


def test_lines_are_the_chapters_five_figures(scripted: Callable[..., Any]) -> None:
    run = scripted()
    # Narrower than a line: lines must not be broken.
    console = Console(file=io.StringIO(), width=20)
    run.start(progress(run, console, steps=100))
    run.episode(-21.0)
    run.episode(-19.04)
    run.evaluation(-1.0, -5.0, distinct=2)
    run.evaluation(3.0)
    run.end()
    assert shown(console).splitlines() == [
        "episode 1 | return -21.0 | best -21.0 | mean of last 100 -21.00 | epsilon 0.500",
        "episode 2 | return -19.0 | best -19.0 | mean of last 100 -20.02 | epsilon 0.333",
        "evaluation at 20 steps | mean -3.00 ± 2.00 over 2 episodes (2 distinct)",
        "evaluation at 20 steps | mean 3.00 ± 0.00 over 1 episode (1 distinct)",
    ]


def test_no_epsilon_where_none_is_reported(scripted: Callable[..., Any]) -> None:
    run = scripted(reports=False)
    console = Console(file=io.StringIO())
    run.start(progress(run, console))
    run.episode(2.0)
    assert shown(console) == "episode 1 | return 2.0 | best 2.0 | mean of last 100 2.00\n"


def test_lines_reach_a_pipe_at_once_and_any_encoding() -> None:
    script = """
import os
from framework.recording import EpisodeStatistics, progress_callback
from framework.events import Episode, EvaluationResult
from framework.types import Counters
class Exploration:
    def metrics(self, counters): return {}
callback = progress_callback(EpisodeStatistics(Exploration()), Exploration(), 1, None, None)
callback.on_episode(Episode(1, 0, 2.0, 3), Counters(episodes=1))
callback.on_evaluation(EvaluationResult((1.0,), (1,), 1, 0.0, 0.0), Counters(5))
os._exit(0)  # nothing flushes what was left in a buffer
"""
    unset = {"FORCE_COLOR", "TTY_COMPATIBLE", "PYTHONUNBUFFERED"}
    environment = {key: value for key, value in os.environ.items() if key not in unset} | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode() == (
        "episode 1 | return 2.0 | best 2.0 | mean of last 100 2.00\n"
        "evaluation at 5 steps | mean 1.00 ? 0.00 over 1 episode (1 distinct)\n"
    )


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


def test_a_step_costs_little(scripted: Callable[..., Any]) -> None:
    run = scripted()
    live = progress(run, terminal(), steps=100)
    run.start(live)
    best = min(timeit.repeat(lambda: live.on_step(NO_STEP, run.counters), number=2000, repeat=10)) / 2000
    run.end()
    assert best < 3e-6, "a clock is read, nothing more"


def test_a_terminal_that_cannot_redraw_gets_lines(scripted: Callable[..., Any]) -> None:
    run = scripted()
    dumb = Console(force_terminal=True, file=io.StringIO(), _environ={"TERM": "dumb"})
    assert not isinstance(progress(run, dumb), LiveProgress)


def test_lines_listen_to_nothing_a_step(scripted: Callable[..., Any]) -> None:
    lines = progress(scripted(), Console(file=io.StringIO()))
    assert type(lines).on_step is Callback.on_step
    assert type(lines).on_update is Callback.on_update
