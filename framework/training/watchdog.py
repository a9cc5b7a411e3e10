"""Ends a process whose run hangs, and says where it hangs. The run can continue from its last checkpoint."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import shlex
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from framework.checkpoints.folder import FOLDER as CHECKPOINTS
from framework.training.blame import culprit
from framework.training.loop import Loop

HANG_EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h."""

HANG_FILE = "hang.txt"


@contextmanager
def watched(loop: Loop, seconds: float, folder: Path | None) -> Iterator[None]:
    """Inside this block, end the process if the loop makes no progress for `seconds` seconds.

    The loop must run in the calling thread. A message names the plugin and the line, and RUN/hang.txt gets the stacks
    of all threads. The watchdog cannot notice C code that never releases Python's global interpreter lock. Checkpoints
    and the work at the end of a run have no time limit.

    Args:
        loop: its `pulse` shows progress.
        seconds: the time limit of a step, an update or a step of an evaluation; 0 switches the watchdog off.
        folder: the run folder.
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
            was_stopped = now - looked > 5 * period + 1  # the system had paused the whole process
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
            lines.append(f"error: the stacks of all threads are in {folder / HANG_FILE}")
        if (folder / CHECKPOINTS).is_dir():
            command = f"python -m framework run --resume {shlex.quote(str(folder))}"
            lines.append(f"error: continue from the last checkpoint: {command}")
    print("\n".join(lines), file=sys.stderr, flush=True)
