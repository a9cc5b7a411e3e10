"""For a process that must not outlive the one that started it, which holds the other end of its standard input.

However that other process ends, the system closes its end.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable

STDIN = 0


def end_with_parent(end: Callable[[], None]) -> None:
    """Call `end` once the other end of standard input is closed; what comes through it is left to others."""
    threading.Thread(target=_watch, args=(end,), daemon=True).start()


def _watch(end: Callable[[], None]) -> None:
    hung_up = select.poll()
    hung_up.register(STDIN, 0)  # that the other end is closed is told unasked
    hung_up.poll()
    end()
