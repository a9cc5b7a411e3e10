"""The folder of a run's checkpoints. They are numbered, complete or absent, and the last two are kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.checkpoints.manifest import NAME, Entry, Manifest, read_manifest
from framework.errors import UsageError
from framework.recording.files import readable, refusals_named, replacing, sync_folder
from framework.recording.states import load_state, save_state
from framework.types import State

FOLDER = "checkpoints"
LATEST = "LATEST"
STATE = "state.safetensors"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """One numbered folder, verified or just written."""

    path: Path
    manifest: Manifest

    @property
    def env_steps(self) -> int:
        """Environment steps of the run when the checkpoint was written."""
        return int(self.manifest.about["counters"]["env_steps"])

    def state(self) -> dict[str, Any]:
        """The state without its segments. Raises UsageError if the file does not contain a state."""
        return load_state(self.path / STATE)

    def segments(self, names: Sequence[str]) -> Iterator[State]:
        """Yield these segments. Each is read only when it is needed.

        Raises:
            UsageError: if one does not belong to the checkpoint, or contains no state.
        """
        for name in names:
            if name + SUFFIX not in self.manifest.files:
                raise UsageError(f"{self.path / STATE}: damaged: there is no segment {name!r}")
            yield load_state(self.path / (name + SUFFIX))


class CheckpointFolder:
    """RUN/checkpoints: `000001`, `000002`, … and `LATEST`: the name of the newest and the SHA-256 of its manifest."""

    def __init__(self, run: Path) -> None:
        self.path = run / FOLDER

    def write(
        self,
        state: State,
        segments: Mapping[str, Callable[[], State]],
        about: Mapping[str, Any],
        base: Checkpoint | None,
    ) -> Checkpoint:
        """Write a new checkpoint, make it the latest, and remove all others except `base`.

        All its files are on the disk before `LATEST` names it. A failure before that leaves the others unchanged.

        Args:
            state: the state without its segments; it is written in full.
            segments: name → function that reads the segment. A segment that `base` has is linked, not written again.
            about: JSON data about the run, for the manifest.
            base: the previous checkpoint.

        Raises:
            FrameworkError: if the system refuses to write or a state cannot be stored; the message names the file.
        """
        path = self.path / f"{max(self._numbers(), default=0) + 1:06}"
        try:
            with refusals_named(path):
                path.mkdir(parents=True)
                files = {}
                for name, read in segments.items():
                    files[name + SUFFIX] = _share_or_save(path / (name + SUFFIX), read, base)
                save_state(path / STATE, state)
                files[STATE] = Entry.of(path / STATE)
                manifest = Manifest(files, about)
                with replacing(path / NAME) as temporary:
                    temporary.write_bytes(manifest.to_bytes())
                sync_folder(self.path)
                digest = Entry.of(path / NAME).sha256
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        with replacing(self.path / LATEST) as temporary:
            temporary.write_text(f"{path.name} {digest}\n", encoding="ascii")
        for number in self._numbers():
            other = self.path / f"{number:06}"
            if other != path and (base is None or other != base.path):
                shutil.rmtree(other, ignore_errors=True)
        return Checkpoint(path, manifest)

    def read(self) -> tuple[Checkpoint, list[str]]:
        """The latest intact checkpoint, and what is wrong with `LATEST` and with newer checkpoints.

        Raises:
            UsageError: if there is no checkpoint, or none is intact; the message says what is wrong with each.
        """
        with readable(self.path):
            numbers, problems = sorted(self._numbers(), reverse=True), list[str]()
        if not numbers:
            raise UsageError(f"'{self.path.parent}' has no checkpoint to continue from")
        latest, digest = numbers[0], None
        try:
            latest, digest = self._latest()
        except UsageError as error:
            problems += error.problems
        for number in [latest, *(number for number in numbers if number < latest)]:
            try:
                return _verified(self.path / f"{number:06}", digest if number == latest else None), problems
            except UsageError as error:
                problems += error.problems
        raise UsageError([f"'{self.path.parent}' cannot continue: no checkpoint is intact", *problems])

    def _latest(self) -> tuple[int, str]:
        path = self.path / LATEST
        try:
            with readable(path), path.open("rb") as file:
                name, digest = file.read(100).decode("ascii").removesuffix("\n").split(" ")
        except ValueError as error:
            raise UsageError(f"{path}: damaged: it names no checkpoint") from error
        if not _is_number(name) or not (self.path / name).is_dir():
            raise UsageError(f"{path}: damaged: it names {name!r}, and there is no such checkpoint")
        return int(name), digest

    def _numbers(self) -> list[int]:
        if not self.path.is_dir():
            return []
        return [int(entry.name) for entry in self.path.iterdir() if _is_number(entry.name)]


def _verified(path: Path, digest: str | None) -> Checkpoint:
    manifest = read_manifest(path)
    if digest is not None and Entry.of(path / NAME).sha256 != digest:
        raise UsageError(f"{path / NAME}: this file or {LATEST} is damaged: its SHA-256 is not the one in {LATEST}")
    if STATE not in manifest.files:
        raise UsageError(f"{path / NAME}: damaged: it does not list {STATE}")
    manifest.verify(path)
    return Checkpoint(path, manifest)


def _share_or_save(path: Path, read: Callable[[], State], base: Checkpoint | None) -> Entry:
    """Create the segment at `path`: a hard link to the file in `base` if possible, else a new file."""
    known = base.manifest.files.get(path.name) if base is not None else None
    if base is not None and known is not None:
        try:
            os.link(base.path / path.name, path)
        except OSError:  # no hard link is possible: write the segment again, from memory
            pass
        else:
            return known
    save_state(path, read())
    return Entry.of(path)


def _is_number(name: str) -> bool:
    return len(name) >= 6 and name.isascii() and name.isdigit() and name == f"{int(name):06}"
