"""Where a picture or a page is written to: checked before anything takes time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from framework.errors import UsageError
from framework.recording.files import readable


def require_place(option: str, path: Path, endings: Sequence[str]) -> None:
    """Refuse a file that cannot be written, or whose name has another ending.

    Args:
        option: the option that names it, for the message.
        endings: such as ".png", in lower case.

    Raises:
        UsageError: if the file cannot be written there.
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
