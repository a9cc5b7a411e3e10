"""What trackers of experiments share: the rows of metrics.jsonl, sent by a thread that neither ends nor delays a run.

A tracker is no plugin's private copy of the metrics: it reads what the run has written to its folder. A service that
hangs, refuses or cannot be reached costs the run nothing. It is said once, and the run goes on without it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from framework.events import Callback
from framework.recording.metrics import METRICS
from framework.recording.rows import NewRows
from framework.types import Counters

SECONDS = 1.0
"""Between two looks at the rows. Of the episodes and of the updates since the last look, the newest row is sent."""

PATIENCE = 60.0
"""Seconds for which the end of a run waits for the service."""

ALL = {"evaluation"}
"""The kinds of rows that are sent without exception."""

Row = tuple[int, Mapping[str, float]]
"""(environment steps, {"episode/return": number, …})"""


class Service(Protocol):
    """A tracker of experiments. One thread calls all methods, and each may take its time or raise anything."""

    def begin(self, name: str, options: Mapping[str, Any]) -> None:
        """Begin a run of the tracker.

        Args:
            name: the name of the run's folder.
            options: the options of the run, which trackers call hyperparameters.
        """
        ...

    def send(self, rows: Sequence[Row]) -> None:
        """Add points to the curves, in the order of their environment steps."""
        ...

    def end(self, failed: bool) -> None:
        """The run has ended, and everything was sent.

        Args:
            failed: whether an exception ended it.
        """
        ...


class Tracker(Callback):
    """Sends the rows that a run writes to a service. A resumed run is a new run of the service, from there on."""

    def __init__(self, title: str, service: Service, folder: Path, options: Mapping[str, Any]) -> None:
        """Args:
        title: what a warning calls the tracker.
        folder: of the run.
        options: of the run.
        """
        self._title, self._service, self._folder, self._options = title, service, folder, options
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"tracker {title}", daemon=True)
        self._failed = False

    def on_start(self, counters: Counters) -> None:
        rows = self._folder / METRICS
        # what a resumed run had written belongs to the service's run before this one
        self._rows = NewRows(rows, rows.stat().st_size if rows.exists() else 0)
        self._thread.start()

    def on_end(self, counters: Counters) -> None:
        self._failed = sys.exc_info()[0] is not None
        self._over.set()
        if self._thread.ident is None:
            return
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._warn(f"did not answer for {PATIENCE:g} seconds, so its copy of the run may be incomplete")

    def _work(self) -> None:
        try:
            self._service.begin(self._folder.resolve().name, self._options)
            over = False
            while not over:
                over = self._over.wait(SECONDS)
                rows = self._new_rows()
                if rows:
                    self._service.send(rows)
            self._service.end(self._failed)
        except Exception as error:
            self._warn(f"{type(error).__name__}: {' '.join(str(error).split())}; the run continues without it")

    def _warn(self, what: str) -> None:
        print(f"warning: the tracker {self._title}: {what}", file=sys.stderr, flush=True)

    def _new_rows(self) -> list[Row]:
        """The rows since the last look: all evaluations, and the newest of each other kind."""
        found, _ = self._rows.take()
        newest = {row["kind"]: index for index, row in enumerate(found)}
        return [
            (row["env_steps"], _scalars(row))
            for index, row in enumerate(found)
            if row["kind"] in ALL or newest[row["kind"]] == index
        ]


def _scalars(row: Mapping[str, Any]) -> dict[str, float]:
    kind = row["kind"]
    return {
        f"{kind}/{key}": float(value)
        for key, value in row.items()
        if key != "env_steps" and isinstance(value, int | float) and not isinstance(value, bool)
    }
