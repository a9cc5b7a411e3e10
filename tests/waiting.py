"""Waiting for processes and files: an event with a long limit, never a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Waits until the condition holds.

    Raises:
        AssertionError: if it takes longer.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} seconds"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Tells whether a process runs. One that has ended and that its parent has not waited for does not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def gone(pids: Iterable[int]) -> bool:
    """Tells whether none of the processes runs."""
    return not any(map(alive, pids))


def children(pid: int, word: str) -> list[psutil.Process]:
    """Returns the children of a process, and theirs, with a word in their command line.

    Others come and go, such as what a library asks the system, and a child may end while it is looked at.
    """
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if any(word in part for part in child.cmdline()):
                    found.append(child)
    return found
