"""Progress displays on consoles that write to memory."""

from __future__ import annotations

import io
import re
from typing import Any

from rich.console import Console

from framework.events import Callback
from framework.recording import progress_callback


def progress(run: Any, console: Console, **ends: Any) -> Callback:
    return progress_callback(
        run.statistics, run.exploration, **{"steps": None, "episodes": None, "until": None} | ends, console=console
    )


def terminal(width: int = 120) -> Console:
    return Console(
        force_terminal=True,
        file=io.StringIO(),
        width=width,
        legacy_windows=False,
        color_system=None,
        _environ={"TERM": "xterm"},
    )


def shown(console: Console) -> str:
    """What was printed, without control sequences."""
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", console.file.getvalue())
