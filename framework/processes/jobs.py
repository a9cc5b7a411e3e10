"""Runs processes side by side. None of them outlives this process."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Protocol, TypeVar

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Environment variables of every process. A plugin with an option for its threads, as `dqn`, follows that option."""

POLL_SECONDS = 0.05
GRACE_SECONDS = 10.0
"""Time within which a process must end after SIGTERM."""


class Job(Protocol):
    """What to start, and the file for its output."""

    @property
    def command(self) -> Sequence[str]: ...

    @property
    def output(self) -> Path: ...


J = TypeVar("J", bound=Job, contravariant=True)


class Watcher(Protocol[J]):
    """Receives the events of the jobs."""

    def ended(self, job: J, code: int, interrupted: bool) -> None:
        """A process has ended. `code` is its exit code, which is negative after a signal."""

    def interrupted(self) -> None:
        """Ctrl-C was pressed, and the running processes have received it."""

    def tick(self, running: Sequence[J]) -> None:
        """Called about every `POLL_SECONDS` while jobs run."""


T = TypeVar("T", bound=Job)


def run_jobs(jobs: Sequence[T], at_once: int, watcher: Watcher[T]) -> bool:
    """Run every job, at most `at_once` at a time. Return whether Ctrl-C interrupted them.

    The first Ctrl-C is passed on to the running processes, and no new one starts. A second Ctrl-C kills them. SIGTERM
    and any error terminate them. When this process ends, for whatever reason, their standard input closes, and a
    child that watches it (`framework.cli.child`) ends.
    """
    waiting, running = deque(jobs), dict[int, tuple[T, subprocess.Popen[bytes]]]()
    passed_on = False
    with _signals() as interrupts:
        try:
            while running or (waiting and not interrupts):
                while waiting and len(running) < at_once and not interrupts:
                    job = waiting.popleft()
                    process = _start(job)
                    running[process.pid] = job, process
                if interrupts and not passed_on:
                    passed_on = True
                    for _, process in running.values():
                        _signal(process, signal.SIGINT)
                    watcher.interrupted()
                if len(interrupts) > 1:
                    for _, process in running.values():
                        _signal(process, signal.SIGKILL)
                for pid, (job, process) in list(running.items()):
                    code = process.poll()
                    if code is not None:
                        del running[pid]
                        _close(process)
                        watcher.ended(job, code, bool(interrupts))
                watcher.tick([job for job, _ in running.values()])
                if running:
                    time.sleep(POLL_SECONDS)
        finally:
            _end([process for _, process in running.values()])
    return bool(interrupts)


def _start(job: Job) -> subprocess.Popen[bytes]:
    job.output.parent.mkdir(parents=True, exist_ok=True)
    with job.output.open("wb") as output:
        return subprocess.Popen(  # noqa: S603  # our own interpreter
            job.command,
            env={**os.environ, **ONE_THREAD},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # its own group, so that a terminal's Ctrl-C reaches it once, through this process
        )


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Terminate the running processes, and kill those that do not end in time."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)
            process.wait()
        _close(process)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGINTs, and turn SIGTERM into SystemExit. Outside the main thread, do nothing."""
    interrupts: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)

    def terminate(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, interrupt),
        signal.SIGTERM: signal.signal(signal.SIGTERM, terminate),
    }
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
