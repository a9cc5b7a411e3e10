"""Replaces a folder by another one. Two renames are needed, and a kill may come between them."""

from __future__ import annotations

import shutil
from pathlib import Path


def swap(incoming: Path, folder: Path) -> None:
    """Put `incoming` in the place of `folder`, both in the same parent. A kill leaves the one, the other or both.

    `put_back` undoes what a kill left between the two renames.
    """
    old = _old(folder)
    if folder.exists():
        folder.rename(old)
    incoming.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def put_back(folder: Path) -> None:
    """Put a folder back that a kill has left beside its place, and remove what was replaced already."""
    old = _old(folder)
    if old.is_dir() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")
