"""Ends a process whose run hangs, and says where: its last checkpoint stands."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from framework.blame import culprit
from framework.loop import Loop

HANG_EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h."""

HANG_FILE = "hang.txt"


@contextmanager
def watched(loop: Loop, seconds: float, folder: Path | None, end: Callable[[int], None] = os._exit) -> Iterator[None]:
    """Within, a loop of the calling thread that stands still for so long ends the process.

    A message says in which plugin and on which line; the stacks of all threads are left in RUN/hang.txt. What never
    lets go of the interpreter, as some C code does, is not noticed.

    Args:
        loop: whose `pulse` is watched.
        seconds: that a step, an update or a step of an evaluation may take; 0 watches nothing.
        folder: of the run.
        end: how to end the process.
    """
    if not seconds:
        yield
        return
    main, over = threading.get_ident(), threading.Event()

    def watch() -> None:
        period = min(1.0, seconds / 10)
        pulse, since, looked = loop.pulse, time.monotonic(), time.monotonic()
        while not over.wait(period):
            now = time.monotonic()
            if loop.pulse != pulse or now - looked > 5 * period + 1:  # or this process was stopped for a while itself
                pulse, since = loop.pulse, now
            looked = now
            if now - since > seconds:
                _report(loop, main, seconds, folder)
                end(HANG_EXIT_CODE)
                return

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _report(loop: Loop, thread: int, seconds: float, folder: Path | None) -> None:
    stack = list(traceback.walk_stack(sys._current_frames()[thread]))[::-1]
    found = culprit(stack, loop.parts, loop.callbacks)
    where = f"plugin '{found.plugin}', {found.hook}, at {found.place}" if found else "nobody's plugin"
    lines = [f"error: no step for {seconds:g} seconds (run.watchdog); the run hangs in {where}"]
    if folder is not None:
        with suppress(OSError), (folder / HANG_FILE).open("w", encoding="utf-8") as file:
            faulthandler.dump_traceback(file)
            lines.append(f"error: every thread's stack is in {folder / HANG_FILE}")
        if (folder / "checkpoints").is_dir():
            lines.append(f"error: the last checkpoint stands: python -m framework run --resume {folder}")
    print("\n".join(lines), file=sys.stderr, flush=True)
