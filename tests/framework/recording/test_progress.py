"""Progress as lines: one for each episode and evaluation."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console

from framework.events import Callback, EvaluationProgress
from framework.recording.left import TimeLeft
from framework.recording.live import LiveProgress
from framework.recording.progress import EpisodeLines, QuietLines
from tests.framework.recording.consoles import progress, shown


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
        "evaluation at 20 steps | mean -3.00 ± 2.00 over 2 episodes (2 different)",
        "evaluation at 20 steps | mean 3.00 ± 0.00 over 1 episode (1 different)",
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
        "evaluation at 5 steps | mean 1.00 ? 0.00 over 1 episode (1 different)\n"
    )


def test_a_terminal_that_cannot_redraw_gets_lines(scripted: Callable[..., Any]) -> None:
    run = scripted()
    dumb = Console(force_terminal=True, file=io.StringIO(), _environ={"TERM": "dumb"})
    assert not isinstance(progress(run, dumb), LiveProgress)


def test_lines_listen_to_no_update(scripted: Callable[..., Any]) -> None:
    assert type(progress(scripted(), Console(file=io.StringIO()))).on_update is Callback.on_update


def test_something_is_said_every_ten_seconds_though_no_episode_ends(scripted: Callable[..., Any]) -> None:
    run, output = scripted(), io.StringIO()
    lines = EpisodeLines(run.statistics, TimeLeft(steps=2000, clock=run.clock), Console(file=output), run.clock)
    run.start(lines)
    for _ in range(100):
        run.now += 1.0
        run.counters.env_steps += 10
        lines.on_step(None, run.counters)  # type: ignore[arg-type]  # nothing reads the step
    assert output.getvalue().splitlines() == [
        f"{steps} steps | 0 updates | 0 episodes | about {(2000 - steps) // 10} s left"
        if steps > 1100
        else f"{steps} steps | 0 updates | 0 episodes | about {(2000 - steps) / 600:.0f} min left"
        for steps in range(100, 1001, 100)
    ]


def test_quiet_is_a_line_every_ten_seconds_however_fast_it_is(scripted: Callable[..., Any]) -> None:
    run, output = scripted(), io.StringIO()
    lines = QuietLines(run.statistics, TimeLeft(episodes=8, clock=run.clock), Console(file=output), run.clock)
    run.start(run.statistics, lines)
    for number in range(4):
        run.counters.env_steps += 5000
        lines.on_step(None, run.counters)  # type: ignore[arg-type]  # nothing reads the step
        run.episode(float(number), length=10)
    assert output.getvalue().splitlines() == [
        "10010 steps | 1 episodes | mean of last 100 0.00 | about 70 s left",
        "15020 steps | 2 episodes | mean of last 100 0.50 | about 60 s left",
        "20030 steps | 3 episodes | mean of last 100 1.00 | about 50 s left",
    ]


def test_who_waits_for_an_evaluation_is_told_how_far_it_is(scripted: Callable[..., Any]) -> None:
    run, output = scripted(), io.StringIO()
    lines = EpisodeLines(run.statistics, TimeLeft(steps=2000, clock=run.clock), Console(file=output), run.clock)
    run.start(lines)
    for second in range(25):
        run.now += 1.0
        lines.on_evaluation_progress(EvaluationProgress(second, 100, confirmation=second > 15), run.counters)
    assert output.getvalue().splitlines() == [
        "waiting for an evaluation, 9 of 100 episodes",
        "waiting for the confirmation, 19 of 100 episodes",
    ]
