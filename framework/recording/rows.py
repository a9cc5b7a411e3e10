"""Files with one JSON object in each line. They can be read even after the run was killed."""

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
    """Every complete row of a file. An incomplete last line, which a kill may leave, is ignored.

    Raises:
        FrameworkError: if the file cannot be read, or a complete line is damaged.
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
    """Appends rows. Each is in the file when `write` returns, so `tail -f` works and a kill loses no row."""

    def __init__(self, path: Path, keep: int | None = None) -> None:
        """Open a file to append rows to it.

        Args:
            path: created if it does not exist. An incomplete last line is removed.
            keep: how many of the file's bytes to keep, an earlier `size`; None keeps all.
        """
        self._path = path
        kept = path.read_bytes()[:keep] if path.exists() else b""
        self.size = kept.rfind(b"\n") + 1
        """Bytes in the file."""
        self._file = path.open("a", encoding="ascii", newline="\n", buffering=1)
        self._file.truncate(self.size)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row. Raises FrameworkError, which names the file, if the system refuses."""
        line = to_json(row) + "\n"
        with refusals_named(self._path):
            self._file.write(line)
        self.size += len(line)

    def sync(self) -> None:
        """Wait until the rows are on the disk. Raises the same error as `write`."""
        with refusals_named(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
