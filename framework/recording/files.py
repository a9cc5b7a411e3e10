"""Writes files completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from framework.errors import FrameworkError, UsageError


@contextmanager
def refusals_named(path: Path) -> Iterator[None]:
    """Turn an OSError into a FrameworkError that names the file."""
    try:
        yield
    except OSError as error:
        raise FrameworkError(f"{path}: cannot be written: {error.strerror or error}") from error


def require_place(option: str, path: Path, endings: Sequence[str]) -> None:
    """Refuse a file that cannot be written, or whose name has another ending.

    Args:
        option: the option that names it, for the message: "--to".
        endings: such as ".png", in lower case.

    Raises:
        UsageError: with the reason.
    """
    if path.suffix.lower() not in endings:
        raise UsageError(f"{option} {path}: the name must end in {' or '.join(endings)}")
    with readable(path):
        if path.is_dir():
            raise UsageError(f"{option} {path}: this is a folder: name a file in it")
        if not path.parent.is_dir():
            raise UsageError(f"{option} {path} cannot be written: there is no folder {path.parent}")
        if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
            raise UsageError(f"{option} {path} cannot be written: {path.parent} or the file may not be written to")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn an OSError into a UsageError that names the file or the folder: the user gave it, and it cannot be read."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error


def require_bytes(path: Path, count: int) -> None:
    """Check that a file that a run continues to write has at least so many bytes. No file counts as an empty one.

    Raises:
        UsageError: if it cannot be read, or bytes are missing.
    """
    size = 0
    with readable(path):
        if path.exists():
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
    if size < count:
        raise UsageError(f"{path}: damaged: {count - size} bytes that the run had written are missing")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; if the block succeeds, the file written there replaces `path`.

    The data is on the disk before the name changes: after a crash, `path` is the old file or the new one.

    Raises:
        FrameworkError: if the system refuses; the message names the file. `path` is then the old file or the new one.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with refusals_named(path):
        try:
            temporary.touch()
            mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(mode)  # a library may have replaced the file by one with other permissions
            with temporary.open("r+b") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make new names in the folder survive a crash, if the system can sync folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
