"""Files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from framework.errors import FrameworkError


@contextmanager
def refusals_named(path: Path) -> Iterator[None]:
    """Turn what the system refuses into a FrameworkError that names the file."""
    try:
        yield
    except OSError as error:
        raise FrameworkError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, beside `path`, and put it in the place of `path` if that succeeds.

    The data is on the disk before the name changes: after a crash, `path` is the old file or the new one.

    Raises:
        FrameworkError: naming the file, where the system refuses; what stands there is the old or the new, whole.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    with refusals_named(path):
        try:
            temporary.touch()
            mode = temporary.stat().st_mode
            yield temporary
            temporary.chmod(mode)  # a library may have put a private file of its own in this place
            with temporary.open("r+b") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the new name itself survive a crash, where the system lets folders be synced."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
