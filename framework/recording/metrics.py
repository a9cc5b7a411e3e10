"""Writes metrics.jsonl, and the same scalars for TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from framework.events import Callback, Episode, EvaluationResult, EventLog
from framework.recording.diagnosis import Diagnosis
from framework.recording.files import require_bytes
from framework.recording.learning import Learning
from framework.recording.rows import RowFile
from framework.recording.statistics import EpisodeStatistics
from framework.types import Batch, Counters, Exploration, State, Step, TDErrors

METRICS = "metrics.jsonl"


class MetricsWriter(Callback):
    """Writes a row for each episode, for each evaluation and for every `learning_every` updates, and for warnings.

    Every row has `kind`, `env_steps`, `frames`, `updates` and `seconds`, the training time so far without evaluations.
    The metrics of record.info are called `info/<metric>`. TensorBoard's tags are `<kind>/<key>` and
    `exploration/<name>`, against environment steps.
    """

    def __init__(
        self,
        folder: Path,
        exploration: Exploration,
        statistics: EpisodeStatistics,
        learning_every: int = 500,
        clock: Callable[[], float] = time.monotonic,
        events: EventLog | None = None,
        learning: Learning | None = None,
        diagnosis: Diagnosis | None = None,
    ) -> None:
        """Args:
        folder: the run folder, which must exist.
        exploration: its metrics, such as ε, are reported with each episode.
        statistics: shared with the other callbacks.
        learning_every: updates between two learning rows, at least 1.
        clock: returns seconds since any origin.
        events: gets the same numbers, for TensorBoard; the caller closes it.
        learning: what learning rows say beside loss and speed; None: nothing.
        diagnosis: looks at each learning row; its warnings become rows.
        """
        self._folder = folder
        self._exploration = exploration
        self._statistics = statistics
        self._learning, self._diagnosis = learning, diagnosis
        self._learning_every = learning_every
        self._clock = clock
        self._rows: RowFile | None = None
        self._events = events
        self._keep: int | None = None
        self._origin = 0.0
        self._paused: float | None = None
        """When the current evaluation began."""
        self._seconds_before = 0.0
        self._loss_sum = 0.0
        self._losses = 0
        self._interval: tuple[int, int, float] | None = None
        """Environment steps, updates and seconds at the start of the learning interval."""

    def on_start(self, counters: Counters) -> None:
        self._rows = RowFile(self._folder / METRICS, self._keep)
        self._origin = self._clock() - self._seconds_before
        if self._interval is None:
            self._interval = (counters.env_steps, counters.updates, self._seconds())

    def on_step(self, step: Step, counters: Counters) -> None:
        if self._learning is not None:
            self._learning.step(step)
        if self._diagnosis is not None:
            self._diagnosis.step(step)

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        if self._learning is not None:
            self._learning.update(batch, errors)
        self._loss_sum += float(np.add.reduce(errors.loss))
        self._losses += len(errors.loss)
        if counters.updates % self._learning_every == 0:
            self._write_learning(counters)

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        figures = self._statistics.of(episode, counters)
        if self._diagnosis is not None:
            self._diagnosis.episode(episode, counters)
        exploration = {name: float(value) for name, value in self._exploration.metrics(counters).items()}
        scalars = {
            "return": figures.raw_return,
            "best": figures.best,
            "mean_100": figures.mean,
            "length": episode.length,
            **{f"info/{name}": number for name, number in episode.info.items()},
        }
        self._write("episode", counters, {"episode": episode.number, **scalars, **exploration}, scalars, exploration)

    def on_evaluation_start(self, counters: Counters) -> None:
        self._paused = self._clock()

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        if self._paused is not None:
            self._origin += self._clock() - self._paused
            self._paused = None
        scalars = result.summary()
        details = {
            "episode": counters.episodes,
            "episodes": len(result.returns),
            "epsilon": result.epsilon,
            "evaluation_seconds": result.seconds,
        }
        is_what = {"confirmation": result.confirmation, "abandoned": result.abandoned}
        details |= {name: True for name, holds in is_what.items() if holds}
        self._write("evaluation", counters, {**scalars, **details}, scalars)

    def on_end(self, counters: Counters) -> None:
        if self._rows is None:
            return
        if self._losses:
            self._write_learning(counters)
        self._rows.close()

    def state_dict(self) -> State:
        """The size of the file of rows, which is now on the disk, and the unfinished learning interval."""
        if self._rows is not None:
            self._rows.sync()
        steps, updates, seconds = self._interval or (0, 0, 0.0)
        return {
            "bytes": self._rows.size if self._rows else 0,
            "seconds": self._seconds(),
            "loss_sum": self._loss_sum,
            "losses": self._losses,
            "interval_env_steps": steps,
            "interval_updates": updates,
            "interval_seconds": seconds,
            "learning": self._learning.state_dict() if self._learning else None,
            "diagnosis": self._diagnosis.state_dict() if self._diagnosis else None,
        }

    def load_state_dict(self, state: State) -> None:
        """Call before `on_start`, which then removes the rows that were written after this state.

        Raises:
            UsageError: if rows that were written before this state are missing.
        """
        self._keep = int(state["bytes"])
        require_bytes(self._folder / METRICS, self._keep)
        self._seconds_before = float(state["seconds"])
        self._loss_sum = float(state["loss_sum"])
        self._losses = int(state["losses"])
        self._interval = (
            int(state["interval_env_steps"]),
            int(state["interval_updates"]),
            float(state["interval_seconds"]),
        )
        # checkpoints of earlier versions have neither
        if self._learning is not None and state.get("learning"):
            self._learning.load_state_dict(state["learning"])
        if self._diagnosis is not None and state.get("diagnosis"):
            self._diagnosis.load_state_dict(state["diagnosis"])
        elif self._diagnosis is not None:
            self._diagnosis.forget_the_beginning()

    def _seconds(self) -> float:
        return (self._clock() if self._paused is None else self._paused) - self._origin

    def _write_learning(self, counters: Counters) -> None:
        assert self._interval is not None
        steps, updates, seconds = self._interval
        now = self._seconds()
        elapsed = now - seconds
        scalars = {
            "loss": self._loss_sum / self._losses,
            "updates_per_second": (counters.updates - updates) / elapsed if elapsed > 0 else None,
            "steps_per_second": (counters.env_steps - steps) / elapsed if elapsed > 0 else None,
            **(self._learning.numbers() if self._learning else {}),
        }
        self._write("learning", counters, scalars, scalars)
        self._interval = (counters.env_steps, counters.updates, now)
        self._loss_sum, self._losses = 0.0, 0
        for text in self._diagnosis.examine(scalars) if self._diagnosis else ():
            self._write("warning", counters, {"warning": text}, {})

    def _write(
        self,
        kind: str,
        counters: Counters,
        row: Mapping[str, Any],
        scalars: Mapping[str, float | None],
        exploration: Mapping[str, float] | None = None,
    ) -> None:
        assert self._rows is not None, "on_start has not been called"
        clocks = {"env_steps": counters.env_steps, "frames": counters.frames, "updates": counters.updates}
        self._rows.write({"kind": kind, **clocks, "seconds": round(self._seconds(), 3), **row})
        if self._events is None:
            return
        tagged = {f"{kind}/{key}": value for key, value in scalars.items()}
        tagged |= {f"exploration/{name}": value for name, value in (exploration or {}).items()}
        self._events.write(counters.env_steps, tagged)
