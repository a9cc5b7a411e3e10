"""A checkpoint's manifest: its files with their sizes and SHA-256 hashes."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.errors import UsageError
from framework.recording.files import readable

NAME = "manifest.json"
FORMAT = 1
LARGEST = 1 << 24
"""The size of the largest manifest that is read, in bytes."""

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}")
"""Valid names of files. They contain no path separator, so they stay in the folder, and are not hidden."""


@dataclass(frozen=True)
class Entry:
    """One file: its size in bytes and the SHA-256 of its content, in hexadecimal digits."""

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Entry:
        """The entry of a file as it is now. Raises OSError if the file cannot be read."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return cls(file.tell(), digest)


@dataclass(frozen=True)
class Manifest:
    """The files of a checkpoint, and JSON data about its run (`about`)."""

    files: Mapping[str, Entry]
    about: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """The content of the manifest's file: JSON in a fixed form, with the hash of that JSON."""
        files = {name: {"size": entry.size, "sha256": entry.sha256} for name, entry in self.files.items()}
        return _rendered({"format": FORMAT, "about": self.about, "files": files})

    def verify(self, folder: Path) -> None:
        """Check that every file exists and is unchanged.

        Raises:
            UsageError: if one is missing or changed; the message names the first.
        """
        for name, entry in self.files.items():
            path = folder / name
            with readable(path):
                if not stat.S_ISREG(path.lstat().st_mode):
                    raise UsageError(f"{path}: damaged: not a regular file")
                if path.stat().st_size != entry.size:
                    raise UsageError(f"{path}: damaged: {path.stat().st_size} bytes instead of {entry.size}")
                if Entry.of(path) != entry:
                    raise UsageError(f"{path}: damaged: its SHA-256 is not the one that was saved")


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest in a checkpoint's folder. The files that it lists are not checked.

    Raises:
        UsageError: if the manifest is missing or any byte of it has changed; the message names the file.
    """
    path = folder / NAME
    with readable(path), path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UsageError(f"{path}: damaged: longer than {LARGEST} bytes")
    try:
        body = json.loads(data)["body"]
        intact = _rendered(body) == data
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(f"{path}: damaged: {type(error).__name__}: {error}") from error
    if not intact:
        raise UsageError(f"{path}: damaged: it does not match its own SHA-256")
    try:
        if body["format"] != FORMAT:
            raise UsageError(f"{path}: written in format {body['format']}, and this version reads format {FORMAT}")
        files = {_checked_name(name): entry_of(**entry) for name, entry in body["files"].items()}
        return Manifest(files, dict(body["about"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{path}: damaged: {error}") from error


def _rendered(body: Any) -> bytes:
    text = json.dumps(body, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps({"body": body, "sha256": digest}, indent=1, sort_keys=True).encode() + b"\n"


def _checked_name(name: str) -> str:
    if not FILE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a valid name for a file of a checkpoint")
    return name


def entry_of(size: object, sha256: object) -> Entry:
    """An entry as JSON has it. Raises ValueError if it is none."""
    if type(size) is not int or size < 0 or not isinstance(sha256, str):
        raise ValueError(f"an entry has the size {size!r} and the SHA-256 {sha256!r}")
    return Entry(size, sha256)
