"""The live display of a run."""

from __future__ import annotations

from collections import deque
from time import monotonic

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from framework.recording.statistics import EpisodeStatistics, Figures
from framework.types import Callback, Counters, Episode, EvaluationResult, Exploration, Step

REFRESH_SECONDS = 0.25
RATE_SAMPLES = 40
"""Rates are over the last ten seconds."""


class LiveProgress(Callback):
    """A bar towards the nearest of the run's ends, and the figures of the moment, redrawn four times a second.

    The loop's thread only takes the figures down; rich draws them in a thread of its own.
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
        self._table = Table.grid()
        self._live = Live(
            get_renderable=lambda: Group(self._progress, self._table),
            console=console,
            refresh_per_second=1 / REFRESH_SECONDS,
        )
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=RATE_SAMPLES)
        self._due = 0.0
        self._figures: Figures | None = None
        self._first_evaluation: EvaluationResult | None = None
        self._evaluation: EvaluationResult | None = None

    def on_start(self, counters: Counters) -> None:
        name, fraction = self._nearest_end(counters)
        endless = self._steps is None and self._episodes is None and self._until is None
        self._task = self._progress.add_task(name, total=None if endless else 1.0, completed=fraction)
        self._refresh(counters)
        self._live.start()

    def on_step(self, step: Step, counters: Counters) -> None:
        if monotonic() >= self._due:
            self._refresh(counters)

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        self._figures = self._statistics.of(episode, counters)

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        self._evaluation = result
        self._first_evaluation = self._first_evaluation or result
        self._samples.clear()  # the time that the evaluation took says nothing about the speed of training
        self._refresh(counters)

    def on_end(self, counters: Counters) -> None:
        self._refresh(counters)
        self._live.stop()

    def _nearest_end(self, counters: Counters) -> tuple[str, float]:
        """The name of the end that the run is closest to, and how much of the way is done."""
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
        """How far evaluations have come from the first one to `until`."""
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
        self._table = self._draw(counters)

    def _draw(self, counters: Counters) -> Table:
        steps_per_second, updates_per_second = self._rates()
        figures, epsilon = self._figures, self._exploration.metrics(counters).get("epsilon")
        best, mean = self._statistics.best, self._statistics.mean
        cells = [
            ("steps", f"{counters.env_steps:,}"),
            ("steps/s", f"{steps_per_second:,.0f}"),
            ("updates/s", f"{updates_per_second:,.0f}"),
            ("episode", f"{counters.episodes:,}"),
            ("return", _shown(figures.raw_return if figures else None, ".1f")),
            ("mean of 100", _shown(mean, ".2f")),
            ("best", _shown(best, ".1f")),
            ("evaluation", _shown(self._evaluation.mean if self._evaluation else None, ".2f")),
        ]
        if epsilon is not None:
            cells.insert(4, ("epsilon", _shown(epsilon, ".3f")))
        table = Table(box=None, expand=True, header_style="dim", padding=(0, 1, 0, 0))
        for header, _ in cells:
            table.add_column(header, justify="right", no_wrap=True)
        table.add_row(*(text for _, text in cells))
        return table

    def _rates(self) -> tuple[float, float]:
        """Environment steps and updates a second."""
        (start, steps, updates), (end, steps_now, updates_now) = self._samples[0], self._samples[-1]
        elapsed = end - start
        return ((steps_now - steps) / elapsed, (updates_now - updates) / elapsed) if elapsed > 0 else (0.0, 0.0)


def _shown(value: float | None, layout: str) -> str:
    return "–" if value is None else format(value, layout)
