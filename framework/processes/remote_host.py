"""What runs on a machine of a cluster: the process of one job, and access to the files of its folder."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from framework.processes.local import Child

CHUNK_BYTES = 8 << 20
"""Bytes of a file that are sent at a time."""


class Host:
    """Starts one process, and sends and receives files. One object for each job, in a process of its own.

    The process is a child of this one, so it ends when this one does, for whatever reason.
    """

    def __init__(self) -> None:
        self._child: Child | None = None
        self._early: int | None = None
        self._lock = threading.Lock()
        self._scratch: Path | None = None

    def sees(self, path: str, text: str) -> bool:
        """Whether there is a file with this content here, so that its folder is shared."""
        try:
            return Path(path).read_text(encoding="utf-8") == text
        except OSError:
            return False

    def scratch(self) -> str:
        """Make a new folder of this machine, and return its path."""
        self._scratch = Path(tempfile.mkdtemp(prefix="pluggable-q-"))
        return str(self._scratch)

    def start(self, command: Sequence[str], output: str, cwd: str) -> None:
        """Start the job's process, with the interpreter of this machine and, if it is here, in the folder `cwd`."""
        where = Path(cwd)
        with self._lock:
            if self._early is None:
                self._child = Child([sys.executable, *command[1:]], Path(output), where if where.is_dir() else None)

    def wait(self) -> int:
        """Wait for the end of the process, and return its exit code."""
        if self._child is None:
            return -(self._early or 0)
        return self._child.wait()

    def signal(self, number: int) -> None:
        """Send a signal to the process. Before it has begun, a signal means that it never begins."""
        with self._lock:
            if self._child is None:
                self._early = number
            else:
                self._child.signal(number)

    def files(self, folder: str) -> list[tuple[str, str]]:
        """The files of a folder, as `files_of` gives them."""
        return list(files_of(Path(folder)))

    def read(self, path: str, offset: int) -> bytes:
        """The next bytes of a file; none at its end."""
        return read(Path(path), offset)

    def write(self, path: str, data: bytes) -> None:
        """Append to a file."""
        write(Path(path), data)

    def link(self, path: str, other: str) -> None:
        """Give a file a second name."""
        link(Path(path), Path(other))

    def clean(self) -> None:
        """Remove what this object made on its machine."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)


def files_of(folder: Path) -> Iterator[tuple[str, str]]:
    """Each file below a folder, except locks, and the first file that has the same data by a hard link (or itself).

    Checkpoints share data in this way, so it travels once.
    """
    first: dict[tuple[int, int], str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != ".lock":
            name, status = str(path.relative_to(folder)), path.stat()
            yield name, first.setdefault((status.st_dev, status.st_ino), name)


def read(path: Path, offset: int) -> bytes:
    """The next `CHUNK_BYTES` of a file."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(CHUNK_BYTES)


def write(path: Path, data: bytes) -> None:
    """Append to a file. Make its folder, if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(data)


def link(path: Path, other: Path) -> None:
    """A second name for a file, or a copy where the file system has no hard links."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(other, path)
    except OSError:
        shutil.copyfile(other, path)
