"""What an executor is: it starts jobs as processes somewhere, on this machine or on others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

LOST = -1000
"""The exit code of a process that is lost together with its machine. It is neither an exit code nor a signal."""


class Job(Protocol):
    """What to start, what it needs, and where it writes."""

    @property
    def command(self) -> Sequence[str]:
        """The command to start now. Its first word is a Python interpreter."""

    @property
    def output(self) -> Path:
        """The file to which the output of the process is appended."""

    @property
    def folder(self) -> Path:
        """The folder in which the process works. The command names it."""

    @property
    def threads(self) -> int:
        """How many cores the process uses."""

    @property
    def memory(self) -> int:
        """Bytes of memory that it needs, as far as that is known; else 0."""


class Process(Protocol):
    """A job that has been started, or that waits for a place."""

    def poll(self) -> int | None:
        """The exit code; None before the end, −N after signal N, `LOST` if it is lost with its machine.

        When the code is known, everything that the process wrote is in the job's folder and output file.
        """

    def signal(self, number: int) -> None:
        """Send a signal to the process and to the processes that it started. A job that still waits never starts."""


@runtime_checkable
class Executor(AbstractContextManager[Any], Protocol):
    """Starts processes. It is entered before the first start and left after the last end, also after an error.

    While it is entered, it may refuse by a `UsageError`: nothing has begun. When it is left, it ends what still runs.
    """

    @property
    def cores(self) -> int | None:
        """How many cores there are in all; None if nobody knows."""

    def room(self, threads: int, memory: int, asked: int | None) -> int | None:
        """How many jobs to give it at once. None: all of them, because it lets them wait for a place itself.

        Args:
            threads: the most threads of a job.
            memory: the most bytes of a job.
            asked: how many the user wants at once; None: as many as fit.

        Raises:
            UsageError: if not even one such job can ever run.
        """

    def start(self, jobs: Sequence[Any]) -> Sequence[Process]:
        """Start every job (each a `Job`), or let it wait for a place, and return their processes in the same order."""
