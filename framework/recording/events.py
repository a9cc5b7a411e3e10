"""Writes a TensorBoard event file: scalars, histograms and films."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FLUSH_SECONDS = 10.0
"""Seconds between two flushes, each of which waits for the disk. A killed run loses at most about this much."""


RESULTS = ("evaluation/mean", "episode/mean_100")
"""The curves that TensorBoard's page of hyperparameters shows beside the options."""


BINS = 64
"""Bins of a histogram."""


class EventFile:
    """An `EventLog` that writes to a file. The first point creates the file and imports tensorboardX.

    The caller's thread writes the rows itself. tensorboardX's SummaryWriter would send each scalar through a queue to
    another thread, which takes fifteen times as long and slows the training loop down.
    """

    def __init__(self, folder: Path, options: Mapping[str, Any] | None = None, purge_from: int | None = None) -> None:
        """Args:
        folder: where to create the file, under a new name.
        options: what TensorBoard's page of hyperparameters compares; earlier files of a resumed run have them.
        purge_from: for a resumed run: TensorBoard ignores the points of earlier files from this step on.
        """
        self._options = options if purge_from is None else None
        self._folder = folder
        self._purge_from = purge_from
        self._writer: Any = None
        self._event_pb2: Any = None
        self._flush_at = 0.0

    def write(self, env_steps: int, scalars: Mapping[str, float | None]) -> None:
        values = [{"tag": tag, "simple_value": value} for tag, value in scalars.items() if value is not None]
        self._add(env_steps, values)

    def histograms(self, env_steps: int, arrays: Mapping[str, np.ndarray]) -> None:
        found = {tag: _histogram(array) for tag, array in arrays.items()}
        self._add(env_steps, [{"tag": tag, "histo": counted} for tag, counted in found.items() if counted])

    def film(self, env_steps: int, tag: str, gif: bytes, size: tuple[int, int]) -> None:
        height, width = size
        image = {"height": height, "width": width, "colorspace": 3, "encoded_image_string": gif}
        self._add(env_steps, [{"tag": tag, "image": image}])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> None:
        event_file_writer = _import_without_torch("tensorboardX.event_file_writer")
        self._event_pb2 = importlib.import_module("tensorboardX.proto.event_pb2")
        # tensorboardX names files by the second. The number keeps the files of a quick resume apart.
        earlier = sum(1 for _ in self._folder.glob("events.out.tfevents.*"))
        self._writer = event_file_writer.EventsWriter(str(self._folder / "events"), f".{earlier}")
        if self._purge_from is not None:
            start = self._event_pb2.SessionLog(status=self._event_pb2.SessionLog.START)
            self._write(step=self._purge_from, session_log=start)
        if self._options:
            hparams = _import_without_torch("tensorboardX.summary").hparams
            begin, values, _ = hparams(_hyperparameters(self._options), dict.fromkeys(RESULTS, 0.0))
            self._write(step=0, summary=begin)
            self._write(step=0, summary=values)

    def _add(self, env_steps: int, values: list[dict[str, Any]]) -> None:
        if self._writer is None:
            self._open()
        self._write(step=env_steps, summary={"value": values})
        if time.monotonic() >= self._flush_at:
            self._writer.flush()
            self._flush_at = time.monotonic() + FLUSH_SECONDS

    def _write(self, **fields: Any) -> None:
        self._writer.write_event(self._event_pb2.Event(wall_time=time.time(), **fields))


def _histogram(array: np.ndarray) -> dict[str, Any] | None:
    """The fields of TensorBoard's message for the numbers of an array; None without a finite number."""
    numbers = array[np.isfinite(array)].astype(np.float64)
    if not numbers.size:
        return None
    try:
        counts, edges = np.histogram(numbers, BINS)
    except ValueError:  # the numbers are so close to each other that there are no 64 edges between them
        counts, edges = np.histogram(numbers, [numbers.min(), np.nextafter(numbers.max(), np.inf)])
    return {
        "min": numbers.min(),
        "max": numbers.max(),
        "num": numbers.size,
        "sum": numbers.sum(),
        "sum_squares": np.square(numbers).sum(),
        "bucket_limit": edges,  # the first bucket is empty and ends where the numbers begin
        "bucket": [0, *counts],
    }


def _hyperparameters(options: Mapping[str, Any]) -> dict[str, str | bool | int | float]:
    """The options as TensorBoard takes them: numbers, texts, all else as text; without those that are None."""
    return {
        name: value if isinstance(value, str | bool | int | float) else str(value)
        for name, value in options.items()
        if value is not None
    }


def _import_without_torch(name: str) -> Any:
    """Import a module of tensorboardX without importing torch.

    tensorboardX imports an installed torch only for a type hint. That takes seconds, and a tabular agent does not need
    torch. If torch is loaded already, it stays loaded.
    """
    if "torch" in sys.modules:
        return importlib.import_module(name)
    sys.modules["torch"] = None  # type: ignore[assignment]  # makes an import of torch fail
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules["torch"]
