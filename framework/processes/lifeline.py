"""Ends a process together with the process that started it, and names the signals that end a run.

The parent holds the other end of the child's standard input. However the parent ends, the system closes that end.
"""

from __future__ import annotations

import select
import signal
import threading
from collections.abc import Callable

STDIN = 0

STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals that end a run normally: Ctrl-C, batch systems and containers, a lost terminal."""


def end_with_parent(end: Callable[[], None]) -> None:
    """Call `end` once the other end of standard input is closed. This reads nothing from standard input."""
    threading.Thread(target=_watch, args=(end,), daemon=True).start()


def _watch(end: Callable[[], None]) -> None:
    hung_up = select.poll()
    hung_up.register(STDIN, 0)  # poll reports a closed end even if it is asked for no event
    hung_up.poll()
    end()
