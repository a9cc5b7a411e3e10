"""Shows the progress of a run: a live display on a terminal, else one line for each episode."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from framework.events import Episode, EvaluationProgress, EvaluationResult
from framework.recording.left import TimeLeft
from framework.recording.shown import Shown
from framework.recording.statistics import EpisodeStatistics
from framework.types import Counters, Exploration, Step

if TYPE_CHECKING:
    from rich.console import Console


def progress_callback(
    statistics: EpisodeStatistics,
    exploration: Exploration,
    steps: int | None,
    episodes: int | None,
    until: float | None,
    console: Console | None = None,
) -> Shown:
    """A live display if the console is a terminal that can redraw, else plain lines.

    Args:
        statistics: shared with the other callbacks.
        exploration: its ε is shown.
        steps: environment steps at which the run ends; None for no such end.
        episodes: episodes at which the run ends; None for no such end.
        until: mean return of an evaluation at which the run ends; None for no such end.
        console: where to show it; standard output if None.
    """
    from rich.console import Console

    console = console or Console()
    if not console.is_terminal or console.is_dumb_terminal:
        return EpisodeLines(statistics, TimeLeft(steps, episodes), console)
    from framework.recording.live import LiveProgress

    return LiveProgress(statistics, exploration, steps, episodes, until, console)


SILENCE_SECONDS = 10.0
"""After this time without a line, a line says how far the run is, or the evaluation that it waits for."""


class EpisodeLines(Shown):
    """Prints one line for each episode, with its number, returns and ε, and one for each evaluation.

    If neither comes for ten seconds, a line says how many steps and updates the run has made and how long it still
    takes, or how far the evaluation is that training waits for.
    """

    def __init__(
        self,
        statistics: EpisodeStatistics,
        left: TimeLeft,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console

        self._statistics = statistics
        self._left = left
        self._console = console or Console()
        self._clock = clock
        self._spoke = clock()

    def on_start(self, counters: Counters) -> None:
        self._left.begin(counters)

    def on_step(self, step: Step, counters: Counters) -> None:
        if self._clock() - self._spoke >= SILENCE_SECONDS:
            self._print(" | ".join(filter(None, self._how_far(counters))))

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        figures = self._statistics.of(episode, counters)
        line = (
            f"episode {figures.episode} | return {figures.raw_return:.1f} | best {figures.best:.1f}"
            f" | mean of last 100 {figures.mean:.2f}"
        )
        self._print(line if figures.epsilon is None else f"{line} | epsilon {figures.epsilon:.3f}")

    def on_evaluation_progress(self, progress: EvaluationProgress, counters: Counters) -> None:
        if self._clock() - self._spoke >= SILENCE_SECONDS:
            self._print(f"waiting for {progress.describe()}")

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        kind = "confirmation" if result.confirmation else "evaluation"
        self._print(f"{kind} at {counters.env_steps} steps | {result.describe()}")

    def say(self, text: str) -> None:
        self._print(text)

    def _how_far(self, counters: Counters) -> Sequence[str]:
        """The parts of a line about the run; empty ones are left out."""
        made = (f"{counters.env_steps} steps", f"{counters.updates} updates", f"{counters.episodes} episodes")
        return (*made, self._left.describe(counters))

    def _print(self, line: str) -> None:
        self._spoke = self._clock()
        # The console would break long lines, so print. A "±" that the encoding lacks must not end the run.
        file = self._console.file
        encoding = getattr(file, "encoding", None) or "utf-8"
        with suppress(OSError):  # nobody reads: the terminal is gone, or the pipe was closed
            print(line.encode(encoding, "replace").decode(encoding), file=file, flush=True)


class QuietLines(EpisodeLines):
    """Prints one line for each evaluation, and one whenever ten seconds have passed without a line."""

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        """Episodes have no lines of their own."""

    def _how_far(self, counters: Counters) -> Sequence[str]:
        mean = self._statistics.mean
        made = (f"{counters.env_steps} steps", f"{counters.episodes} episodes")
        return (*made, "" if mean is None else f"mean of last 100 {mean:.2f}", self._left.describe(counters))
