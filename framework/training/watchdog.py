"""Ends a process whose run hangs, and says where: its last checkpoint stands."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from framework.training.blame import culprit
from framework.training.loop import Loop

HANG_EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h."""

HANG_FILE = "hang.txt"


@contextmanager
def watched(loop: Loop, seconds: float, folder: Path | None) -> Iterator[None]:
    """Within, a loop of the calling thread that stands still for so long ends the process.

    A message says in which plugin and on which line; the stacks of all threads are left in RUN/hang.txt. What never
    lets go of the interpreter, as some C code does, is not noticed. A checkpoint, and what is written at the end of a
    run, may take as long as it does.

    Args:
        loop: whose `pulse` is watched.
        seconds: that a step, an update or a step of an evaluation may take; 0 watches nothing.
        folder: of the run.
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
            was_stopped = now - looked > 5 * period + 1  # this whole process was, for a while
            if not loop.running or loop.pulse != pulse or was_stopped:
                pulse, since = loop.pulse, now
            looked = now
            if loop.running and now - since > seconds:
                try:
                    _report(loop, main, seconds, folder)
                finally:
                    for child in multiprocessing.active_children():
                        child.kill()
                    os._exit(HANG_EXIT_CODE)

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
    if found and found.plugin in loop.parts.plugins.names:
        where = f"plugin '{found.plugin}', {found.hook}, at {found.place}"
    else:
        where = f"the framework itself{f', at {found.place}' if found else ''}"
    lines = [f"error: no step for {seconds:g} seconds (run.watchdog); the run hangs in {where}"]
    if folder is not None:
        with suppress(OSError), (folder / HANG_FILE).open("w", encoding="utf-8") as file:
            faulthandler.dump_traceback(file)
            lines.append(f"error: every thread's stack is in {folder / HANG_FILE}")
        if (folder / "checkpoints").is_dir():
            lines.append(f"error: the last checkpoint stands: python -m framework run --resume {folder}")
    print("\n".join(lines), file=sys.stderr, flush=True)
