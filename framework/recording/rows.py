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


class NewRows:
    """Reads the rows that another process or thread adds to a file of rows, each once it is complete.

    A run that continues removes the rows after its checkpoint and writes them again. That is noticed, and reading
    begins anew.
    """

    def __init__(self, path: Path, begin: int = 0) -> None:
        """
        Args:
            path: may not exist yet.
            begin: how many bytes to skip, an earlier size of the file.
        """
        self._path, self._read, self._last = path, begin, b""

    def take(self) -> tuple[list[dict[str, Any]], bool]:
        """The complete rows since the last call, and whether they are all rows of the file, because it was changed."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read - len(self._last))
                anew = file.read(len(self._last)) != self._last
                if anew:
                    self._read = file.seek(0)
                complete = file.read().rpartition(b"\n")[0]
        except FileNotFoundError:
            anew, self._read, self._last = self._read > 0, 0, b""
            return [], anew
        if not complete:
            if anew:
                self._last = b""
            return [], anew
        lines = complete.split(b"\n")
        self._read, self._last = self._read + len(complete) + 1, lines[-1] + b"\n"
        return [json.loads(line) for line in lines], anew
