"""Runs jobs side by side, wherever their executor starts them. None of them outlives this process."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol, TypeVar

from framework.errors import FrameworkError, UsageError
from framework.processes.executor import Executor, Process
from framework.processes.local import Local

POLL_SECONDS = 0.05
GRACE_SECONDS = 10.0
"""Time within which a process must end after SIGTERM."""

J = TypeVar("J", contravariant=True)


class Watcher(Protocol[J]):
    """Receives the events of the jobs."""

    def ended(self, job: J, code: int, interrupted: bool) -> bool | None:
        """A process has ended. Return true to start the job again: later than those that wait already.

        Args:
            job: its job.
            code: its exit code, as `Process.poll` gives it: negative after a signal, `LOST` with its machine.
            interrupted: whether Ctrl-C was pressed; then no job starts again.
        """

    def interrupted(self) -> None:
        """Ctrl-C was pressed, and the running processes have received it."""

    def tick(self, running: Sequence[J]) -> None:
        """Called about every `POLL_SECONDS` while jobs run."""


T = TypeVar("T")


def run_jobs(jobs: Sequence[T], at_once: int, watcher: Watcher[T], executor: Executor | None = None) -> bool:
    """Run every job, at most `at_once` at a time. Return whether Ctrl-C interrupted them.

    The first Ctrl-C is passed on to the running processes, and no new one starts. A second Ctrl-C kills them. SIGTERM
    and any error terminate them.

    Args:
        jobs: each with the attributes of a `Job`, as far as the executor uses them.
        at_once: the most processes at a time.
        watcher: receives the events.
        executor: where they run, entered already; None: as children of this process.

    Raises:
        UsageError: if the executor refuses the first jobs, so that nothing has begun.
        FrameworkError: if it refuses others.
    """
    if executor is None:
        with Local() as local:
            return run_jobs(jobs, at_once, watcher, local)
    waiting, running = deque(jobs), list[tuple[T, Process]]()
    passed_on = killed = has_begun = False
    with _signals() as interrupts:
        try:
            while running or (waiting and not interrupts):
                if waiting and len(running) < at_once and not interrupts:
                    batch = [waiting.popleft() for _ in range(min(len(waiting), at_once - len(running)))]
                    running += zip(batch, _started(executor, batch, has_begun), strict=True)
                    has_begun = True
                if interrupts and not passed_on:
                    passed_on = True
                    _signal(running, signal.SIGINT)
                    watcher.interrupted()
                if len(interrupts) > 1 and not killed:
                    killed = True
                    _signal(running, signal.SIGKILL)
                for pair in list(running):
                    job, process = pair
                    code = process.poll()
                    if code is not None:
                        running.remove(pair)
                        if watcher.ended(job, code, bool(interrupts)):
                            waiting.append(job)
                watcher.tick([job for job, _ in running])
                if running:
                    time.sleep(POLL_SECONDS)
        finally:
            _end(running)
    return bool(interrupts)


def _started(executor: Executor, batch: Sequence[Any], has_begun: bool) -> Sequence[Process]:
    try:
        return executor.start(batch)
    except UsageError as error:
        if has_begun:  # then it is no longer true that nothing has begun
            raise FrameworkError(str(error)) from error
        raise


def _signal(running: Sequence[tuple[Any, Process]], number: int) -> None:
    for _, process in running:
        process.signal(number)


def _end(running: Sequence[tuple[Any, Process]]) -> None:
    """Terminate the running processes, and kill those that do not end in time."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(running, number)
        deadline = time.monotonic() + GRACE_SECONDS
        while any(process.poll() is None for _, process in running) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


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
