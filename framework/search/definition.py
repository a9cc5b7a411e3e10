"""What a sweep is: its composition, its space and how trials are chosen. sweep.json in its folder keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from framework.errors import UsageError
from framework.recording.files import readable, replacing
from framework.search.space import Space, parse_space

SWEEP = "sweep.json"
LOCK = ".lock"
"""Held while trials are handed out and while the journal is written. The system releases it when a process ends."""


@dataclass(frozen=True)
class Definition:
    """A sweep, apart from the number of its trials. All processes that work on a folder have the same."""

    plugins: tuple[str, ...]
    values: Mapping[str, Any]
    """Options of every trial, "section.key" → value."""
    space: Mapping[str, Space]
    """Options that differ between trials."""
    objective: str
    seed: int
    """The first seed of each trial, and that of the sampler."""
    seeds: int
    """Runs of a trial, with consecutive seeds."""
    sampler: str
    pruner: str
    points: int
    """Values of a range in a grid."""

    def as_json(self) -> dict[str, Any]:
        """The content of sweep.json."""
        space = {path: str(one) for path, one in self.space.items()}
        return json.loads(json.dumps({**vars(self), "space": space}, default=str))

    @property
    def grid(self) -> int:
        """The number of points of the grid."""
        count = 1
        for space in self.space.values():
            count *= len(space.points(self.points))
        return count


def trial_folder(folder: Path, number: int) -> Path:
    """The folder of a trial, which has its runs as `seed-K`."""
    return folder / f"trial-{number}"


def open_sweep(folder: Path, definition: Definition) -> None:
    """Create the folder of a sweep, or make sure that it is the folder of this one.

    Raises:
        UsageError: if it contains another sweep (with what differs) or anything else, or cannot be created.
    """
    with readable(folder):
        if folder.is_dir() and not (folder / SWEEP).is_file() and any(file.name != LOCK for file in folder.iterdir()):
            raise UsageError(f"the folder '{folder}' contains files, but no sweep: choose another with --study-dir")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK):
            if (folder / SWEEP).is_file():
                _compare(folder, definition)
            else:
                with replacing(folder / SWEEP) as temporary:
                    temporary.write_text(json.dumps(definition.as_json(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the folder '{folder}' cannot be created: {error.strerror}") from error


def read_sweep(folder: Path) -> Definition:
    """The sweep of a folder.

    Raises:
        UsageError: if there is none, or its file is damaged.
    """
    try:
        known = json.loads((folder / SWEEP).read_text(encoding="utf-8"))
        space = {path: parse_space(text) for path, text in known["space"].items()}
        return Definition(**{**known, "plugins": tuple(known["plugins"]), "space": space})
    except FileNotFoundError as error:
        raise UsageError(f"'{folder}' is not the folder of a sweep: it has no {SWEEP}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{folder / SWEEP}: damaged: {error!r}") from error


def _compare(folder: Path, wanted: Definition) -> None:
    problems = list(_differences(read_sweep(folder).as_json(), wanted.as_json()))
    if problems:
        raise UsageError([f"the folder '{folder}' contains another sweep: choose another with --study-dir", *problems])


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key in sorted({*there, *here}):
        one, other = there.get(key, "not set"), here.get(key, "not set")
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differences(one, other, f"{key} of ")
        elif one != other:
            yield f"{prefix}{key}: {one} there, {other} here"
