"""Rows of JSON, one a line: written whole, read back even after a kill."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framework.errors import FrameworkError
from framework.recording.files import refusals_named


def to_json(row: Mapping[str, Any]) -> str:
    """The row as one line of valid JSON, without the newline; NaN and the infinities become null."""
    finite = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()
    }
    return json.dumps(finite, allow_nan=False)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Every complete row of a file; a last line that a kill cut short is left out.

    Raises:
        FrameworkError: if the file cannot be read, or a line before the last is damaged.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError as error:
        raise FrameworkError(f"{path}: cannot be read: {error.strerror}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FrameworkError(f"{path}, line {number}: damaged, not JSON: {error}") from error
        if not isinstance(row, dict):
            raise FrameworkError(f"{path}, line {number}: damaged, not a JSON object")
        rows.append(row)
    return rows


class RowFile:
    """Appends rows; each is in the file when `write` returns, so that `tail -f` works and a kill loses none."""

    def __init__(self, path: Path, keep: int | None = None) -> None:
        """Open a file for more rows.

        Args:
            path: created if it does not exist. A last line that was cut short is removed.
            keep: keep no more than this many bytes of what is there, a `size` of earlier.

        Raises:
            FrameworkError: if fewer bytes are there than are to be kept.
        """
        self._path = path
        kept = path.read_bytes()[:keep] if path.exists() else b""
        if keep is not None and len(kept) < keep:
            raise FrameworkError(f"{path}: damaged: {keep - len(kept)} bytes of what the run had written are gone")
        self.size = kept.rfind(b"\n") + 1
        """Bytes in the file."""
        self._file = path.open("a", encoding="ascii", newline="\n", buffering=1)
        self._file.truncate(self.size)

    def write(self, row: Mapping[str, Any]) -> None:
        """Raises FrameworkError, naming the file, where the system refuses."""
        line = to_json(row) + "\n"
        with refusals_named(self._path):
            self._file.write(line)
        self.size += len(line)

    def sync(self) -> None:
        """See to it that the rows are on the disk. Raises as `write` does."""
        with refusals_named(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
