"""The live display of a run."""

from __future__ import annotations

from collections import deque
from time import monotonic

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from framework.events import Episode, EvaluationProgress, EvaluationResult
from framework.recording.shown import Shown
from framework.recording.statistics import EpisodeStatistics, Figures
from framework.types import Counters, Exploration, Step

REFRESH_SECONDS = 0.25
RATE_SAMPLES = 40
"""Number of samples that rates are computed from: the last ten seconds."""


class LiveProgress(Shown):
    """A progress bar towards the run's nearest end, and current statistics, redrawn four times a second.

    The loop's thread only stores the statistics; rich draws them in a thread of its own.
    """

    def __init__(
        self,
        statistics: EpisodeStatistics,
        exploration: Exploration,
        steps: int | None,
        episodes: int | None,
        until: float | None,
        console: Console,
    ) -> None:
        """See `progress_callback`. `console` must be a terminal."""
        self._statistics = statistics
        self._exploration = exploration
        self._steps, self._episodes, self._until = steps, episodes, until
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            speed_estimate_period=120.0,
            expand=True,
        )
        self._text = Text()
        self._live = Live(
            get_renderable=lambda: Group(self._progress, self._text),
            console=console,
            refresh_per_second=1 / REFRESH_SECONDS,
        )
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=RATE_SAMPLES)
        self._last_rates = (0.0, 0.0)
        self._due = 0.0
        self._figures: Figures | None = None
        self._first_evaluation: EvaluationResult | None = None
        self._evaluation: EvaluationResult | None = None

    def on_start(self, counters: Counters) -> None:
        endless = self._steps is None and self._episodes is None and self._until is None
        self._task = self._progress.add_task("", total=None if endless else 1.0)
        self._counters = counters  # the run's own: those of an evaluation may be older
        self._refresh(counters)
        self._live.start()

    def on_step(self, step: Step, counters: Counters) -> None:
        if monotonic() >= self._due:
            self._refresh(counters)

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        self._figures = self._statistics.of(episode, counters)

    def on_evaluation_progress(self, progress: EvaluationProgress, counters: Counters) -> None:
        self._progress.update(self._task, description=f"waiting for {progress.describe()}")

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        self._evaluation = result
        self._first_evaluation = self._first_evaluation or result
        self._samples.clear()  # the time of the evaluation must not change the speed of training
        self._refresh(self._counters)

    def on_end(self, counters: Counters) -> None:
        self._refresh(counters)
        self._live.stop()

    def say(self, text: str) -> None:
        self._live.console.print(text, markup=False, highlight=False)

    def _nearest_end(self, counters: Counters) -> tuple[str, float]:
        """The name of the end that the run is closest to, and the fraction of the way to it that is done."""
        ends = [("training", 0.0)]
        if self._until is not None:
            ends.append((f"evaluation of {self._until:g}", self._way_to_until(self._until)))
        if self._episodes is not None:
            ends.append((f"{self._episodes:,} episodes", counters.episodes / self._episodes))
        if self._steps is not None:
            ends.append((f"{self._steps:,} steps", counters.env_steps / self._steps))
        name, fraction = max(reversed(ends), key=lambda end: end[1])
        return name, min(fraction, 1.0)

    def _way_to_until(self, until: float) -> float:
        """The fraction of the way from the first evaluation's mean return to `until`."""
        if self._evaluation is None or self._first_evaluation is None:
            return 0.0
        if self._evaluation.mean >= until:
            return 1.0
        start = self._first_evaluation.mean
        return max(0.0, (self._evaluation.mean - start) / (until - start)) if start < until else 0.0

    def _refresh(self, counters: Counters) -> None:
        now = monotonic()
        self._due = now + REFRESH_SECONDS
        self._samples.append((now, counters.env_steps, counters.updates))
        name, fraction = self._nearest_end(counters)
        self._progress.update(self._task, description=name, completed=fraction)
        self._text = self._write(counters)

    def _write(self, counters: Counters) -> Text:
        """The statistics in two lines of plain text. A rich table would take twenty times as long to draw."""
        steps_per_second, updates_per_second = self._rates()
        evaluation = self._evaluation.mean if self._evaluation else None
        clocks = [
            f"step {counters.env_steps:,}",
            f"{steps_per_second:,.0f} steps/s",
            f"{updates_per_second:,.0f} updates/s",
            f"episode {counters.episodes:,}",
        ]
        epsilon = self._exploration.metrics(counters).get("epsilon")
        if epsilon is not None:
            clocks.append(f"epsilon {epsilon:.3f}")
        returns = [
            f"return {_shown(self._figures.raw_return if self._figures else None, '.1f')}",
            f"mean of last 100 {_shown(self._statistics.mean, '.2f')}",
            f"best {_shown(self._statistics.best, '.1f')}",
            f"last evaluation {_shown(evaluation, '.2f')}",
        ]
        return Text("\n".join(" | ".join(line) for line in (clocks, returns)))

    def _rates(self) -> tuple[float, float]:
        """Environment steps and updates per second."""
        (start, steps, updates), (end, steps_now, updates_now) = self._samples[0], self._samples[-1]
        elapsed = end - start
        if elapsed >= REFRESH_SECONDS / 2:  # over a shorter time a rate is noise: show the previous one
            self._last_rates = (steps_now - steps) / elapsed, (updates_now - updates) / elapsed
        return self._last_rates


def _shown(value: float | None, layout: str) -> str:
    return "–" if value is None else format(value, layout)
