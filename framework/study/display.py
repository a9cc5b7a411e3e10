"""Shows the progress of a study: a line for each run that ends and, on a terminal, the steps of the others."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from framework.recording.metrics import METRICS

REFRESH_SECONDS = 0.5
TAIL_BYTES = 4096
"""Bytes at the end of a metrics file that are read: enough for the last row."""


class Shown(Protocol):
    """What is shown: a run, or a trial by its current run."""

    @property
    def label(self) -> str: ...

    @property
    def folder(self) -> Path: ...


class StudyDisplay:
    """A context manager that prints lines and, on a terminal that can redraw, shows a live display below them."""

    def __init__(self, total: int, complete: int, console: Console | None = None, what: str = "runs") -> None:
        """Args:
        total: the number of runs in the study.
        complete: how many of them are complete already.
        console: where to show it; standard output if None.
        what: what is counted.
        """
        self._console = console or Console()
        self._total, self._ended = total, complete
        self._due = 0.0
        self._running = Text()
        self._progress = Progress(
            TextColumn(what), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn(), expand=True
        )
        self._task = self._progress.add_task("", total=total, completed=complete)
        self._live: Live | None = None
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                get_renderable=lambda: Group(self._progress, self._running),
                console=self._console,
                auto_refresh=False,
            )

    def __enter__(self) -> StudyDisplay:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._running = Text()
            self._live.stop()

    def say(self, text: str) -> None:
        """Print a line above the live display."""
        with suppress(OSError):  # nobody reads: the terminal is gone, or the pipe was closed
            if self._live is not None:
                self._console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                print(text, file=self._console.file, flush=True)

    def ended(self, run: Shown, what: str) -> None:
        """Count a run and print how it ended."""
        self._ended += 1
        self._progress.update(self._task, completed=self._ended)
        self.say(f"{self._ended} of {self._total} | {run.label} | {what}")

    def show_running(self, running: Sequence[Shown]) -> None:
        """Show the steps of the runs that are running; at most twice a second, and only on a terminal."""
        if self._live is None or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + REFRESH_SECONDS
        self._running = Text("\n".join(f"{run.label} | step {steps_so_far(run.folder):,}" for run in running))
        self._live.refresh()


def steps_so_far(folder: Path) -> int:
    """The environment steps of the last row that a run has written; 0 before the first."""
    try:
        with (folder / METRICS).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            lines = file.read().split(b"\n")
        return int(json.loads(lines[-2])["env_steps"])
    except (OSError, LookupError, ValueError, TypeError):
        return 0
