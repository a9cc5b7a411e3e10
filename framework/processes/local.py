"""The executor on this machine: each job is a child of this process, and no child outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from framework.processes.executor import Job
from framework.processes.limits import available_memory, usable_cores

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Environment variables of every process. A plugin with an option for its threads, as `dqn`, follows that option."""


class Child:
    """A child process in a process group of its own.

    A terminal's Ctrl-C therefore reaches it only through this process. When this process ends, for whatever reason, the
    child's standard input closes, and a child that watches it (`framework.cli.child`) ends.
    """

    def __init__(self, command: Sequence[str], output: Path, cwd: Path | None = None) -> None:
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("ab") as file:
            self._popen = subprocess.Popen(  # noqa: S603  # our own interpreter
                command,
                cwd=cwd,
                env={**os.environ, **ONE_THREAD},
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def poll(self) -> int | None:
        code = self._popen.poll()
        return code if code is None else self._ended(code)

    def wait(self) -> int:
        """Wait for the end, and return the exit code."""
        return self._ended(self._popen.wait())

    def signal(self, number: int) -> None:
        if self._popen.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)

    def _ended(self, code: int) -> int:
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        return code


class Local:
    """Starts each job as a child of this process."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    @property
    def cores(self) -> int:
        return usable_cores()

    def room(self, threads: int, memory: int, asked: int | None) -> int:
        """As many as are asked for, else as the cores allow; and not more than fit into memory.

        At least one: a run that does not fit says so itself.
        """
        return max(1, min(asked or usable_cores() // threads, available_memory() // max(1, memory)))

    def start(self, jobs: Sequence[Job]) -> list[Child]:
        started = []
        for job in jobs:
            started.append(Child(job.command, job.output))
            self._children.append(started[-1])
        return started

    def __enter__(self) -> Local:
        return self

    def __exit__(self, *error: Any) -> None:
        for child in self._children:
            child.signal(signal.SIGKILL)
