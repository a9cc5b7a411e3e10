"""Which files of a run folder travel to a hub, and the list of them that travels along.

All of them are data: text, JSON, safetensors, pictures and films. The run's copies of plugins are code and stay behind.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framework.checkpoints.manifest import Entry, entry_of
from framework.errors import UsageError
from framework.recording.files import readable

LIST = "files.json"
"""The list: name → size in bytes and SHA-256, and the SHA-256 of the card."""

CARD = "README.md"
"""The description that the hub shows. Its bytes are not verified, because people edit it there."""

LARGEST_LIST = 1_000_000
"""Bytes of the largest list that is read: that of a run with 10,000 films."""

_FILES = re.compile(
    r"config\.toml|manifest\.json|metrics\.jsonl|(initial|last)\.safetensors|last\.json|\w+\.png"
    r"|best/(evaluation|mean_100)\.(safetensors|json)|videos/\d+\.mp4|events\.out\.tfevents\.[\w.-]+"
)
_CHECKPOINTS = re.compile(r"checkpoints/(LATEST|\d+/[\w.-]+\.(safetensors|json))")


def travels(name: str, *, checkpoints: bool = True) -> bool:
    """Whether a file of this name, relative to the run folder, travels."""
    return bool(_FILES.fullmatch(name) or (checkpoints and _CHECKPOINTS.fullmatch(name)))


def files_of(folder: Path, *, checkpoints: bool) -> tuple[list[str], list[str]]:
    """The names of the files that travel, and of those that stay behind, both in order. Symbolic links stay.

    Args:
        folder: the run folder.
        checkpoints: whether the checkpoints travel, too.
    """
    with readable(folder):
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    going = [name for name in names if travels(name, checkpoints=checkpoints) and not (folder / name).is_symlink()]
    hidden = [name for name in names if name.startswith(".")]
    return going, [name for name in names if name not in {*going, *hidden, LIST, CARD}]


def listed(folder: Path, names: list[str]) -> dict[str, Entry]:
    """The list of these files.

    Raises:
        UsageError: if one cannot be read.
    """
    with readable(folder):
        return {name: Entry.of(folder / name) for name in names}


def write_list(path: Path, items: Mapping[str, Entry], card: str) -> None:
    """Write the list of these files and this card."""
    files = {name: vars(item) for name, item in items.items()}
    text = json.dumps({"card": hashlib.sha256(card.encode()).hexdigest(), "files": files}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def is_card_of(card: Path, path: Path) -> bool:
    """Whether the card is the one that was pushed with this list: nobody has edited it since."""
    try:
        known = json.loads(path.read_bytes())["card"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False
    return bool(hashlib.sha256(card.read_bytes()).hexdigest() == known)


def read_list(path: Path) -> dict[str, Entry]:
    """Read a list that comes from anywhere.

    Raises:
        UsageError: if it is no such list, or names files that do not travel.
    """
    try:
        if path.stat().st_size > LARGEST_LIST:
            raise ValueError(f"larger than {LARGEST_LIST:,} bytes")
        given: Any = json.loads(path.read_bytes())["files"]
        items = {str(name): entry_of(**item) for name, item in given.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path.name}: damaged, or no list of a run's files: {error}") from error
    strange = [name for name in items if not travels(name)]
    if strange:
        raise UsageError(f"{path.name} names {strange[0]!r}, which is no file that a run shares: nothing is kept")
    if "config.toml" not in items:
        raise UsageError(f"{path.name} does not name config.toml, which every run has")
    return items


def verify(folder: Path, items: Mapping[str, Entry]) -> None:
    """Compare every file with the list.

    Raises:
        UsageError: that names every file that is missing or differs.
    """
    problems = []
    for name, item in items.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            problems.append(f"{name}: missing")
        elif Entry.of(path) != item:
            problems.append(f"{name}: damaged: its size or its SHA-256 is not the one in {LIST}")
    if problems:
        raise UsageError(problems)
