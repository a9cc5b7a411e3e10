"""Scalars in a TensorBoard event file."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FLUSH_SECONDS = 10.0
"""A killed run loses at most this much of its event file; flushing it waits for the disk."""


class EventFile:
    """Writes scalars against environment steps. The file and tensorboardX wait for the first of them.

    Rows are written at once, by the caller: tensorboardX's SummaryWriter sends each scalar through a
    queue to a thread and costs fifteen times as much, all of it taken from the training loop.
    """

    def __init__(self, folder: Path, purge_from: int | None = None) -> None:
        """Args:
        folder: where the file goes, with a name of its own.
        purge_from: a resumed run; TensorBoard forgets what earlier files say from this step on.
        """
        self._folder = folder
        self._purge_from = purge_from
        self._writer: Any = None
        self._event_pb2: Any = None
        self._flush_at = 0.0

    def write(self, env_steps: int, scalars: Mapping[str, float | None]) -> None:
        """Add one point to the curve of each tag; None is no point."""
        if self._writer is None:
            self._open()
        values = [{"tag": tag, "simple_value": value} for tag, value in scalars.items() if value is not None]
        self._write(step=env_steps, summary={"value": values})
        if time.monotonic() >= self._flush_at:
            self._writer.flush()
            self._flush_at = time.monotonic() + FLUSH_SECONDS

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> None:
        event_file_writer = _import_without_torch("tensorboardX.event_file_writer")
        self._event_pb2 = importlib.import_module("tensorboardX.proto.event_pb2")
        # tensorboardX names files by the second: two that a quick resume opens must not be the same.
        earlier = sum(1 for _ in self._folder.glob("events.out.tfevents.*"))
        self._writer = event_file_writer.EventsWriter(str(self._folder / "events"), f".{earlier}")
        if self._purge_from is not None:
            start = self._event_pb2.SessionLog(status=self._event_pb2.SessionLog.START)
            self._write(step=self._purge_from, session_log=start)

    def _write(self, **fields: Any) -> None:
        self._writer.write_event(self._event_pb2.Event(wall_time=time.time(), **fields))


def _import_without_torch(name: str) -> Any:
    """Import a module of tensorboardX, which would import an installed torch for the sake of a type hint.

    torch takes seconds to import, and a table needs none. Where it is loaded already, it stays.
    """
    if "torch" in sys.modules:
        return importlib.import_module(name)
    sys.modules["torch"] = None  # type: ignore[assignment]  # Python's own way to say: not importable
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules["torch"]
