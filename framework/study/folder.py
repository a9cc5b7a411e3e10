"""The study folder. It records the arms: the same command continues the study, and another study is refused."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from framework.errors import UsageError
from framework.recording.files import readable, replacing
from framework.study.arms import CheckedArm
from framework.study.runs import Run, folder_name

STUDY = "study.json"
LOCK = ".lock"

Definition = Mapping[str, Any]
"""An arm as JSON: its plugins and values."""


@contextmanager
def open_study(folder: Path, arms: Sequence[CheckedArm]) -> Iterator[None]:
    """Create the folder or continue with it. Inside this block, no other study can use it.

    A study may get further arms and seeds later. The code of the plugins is not compared.

    Raises:
        UsageError: if the folder contains anything else, or an arm of the same name with other plugins or values, if
            another process runs its study, or if it cannot be created.
    """
    wanted = {arm.label: definition(arm) for arm in arms}
    with readable(folder):
        if folder.is_dir() and not (folder / STUDY).is_file() and any(file.name != LOCK for file in folder.iterdir()):
            raise UsageError(f"the folder '{folder}' contains files, but no study: choose another with --study-dir")
        _compare(folder, wanted)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise UsageError(f"the study folder '{folder}' cannot be created: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system releases it when the process ends
        except OSError as error:
            raise UsageError(f"the study in '{folder}' is running: wait for it or choose another folder") from error
        _compare(folder, wanted)
        known = read_arms(folder) if (folder / STUDY).is_file() else {}
        with replacing(folder / STUDY) as temporary:
            temporary.write_text(json.dumps({"arms": {**known, **wanted}}, indent=2) + "\n", encoding="utf-8")
        yield


def read_arms(folder: Path) -> dict[str, Definition]:
    """The arms of a study: label → plugins and values, in the order in which they were added.

    Raises:
        UsageError: if this is not a study folder, or the file is damaged.
    """
    path = folder / STUDY
    if not path.is_file():
        raise UsageError(f"'{folder}' is not a study folder: it has no {STUDY}")
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["arms"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: damaged: {error!r}") from error


def definition(arm: CheckedArm) -> Definition:
    """An arm as study.json stores it."""
    return json.loads(json.dumps({"plugins": arm.plugins, "values": dict(arm.values)}, default=str))


def put_aside(run: Run) -> Path:
    """Move the folder of an unfinished run aside, with its output, and return its new path."""
    number = 1
    while (aside := run.folder.with_name(f"{run.folder.name}.unfinished-{number}")).exists():
        number += 1
    run.folder.rename(aside)
    if run.output.exists():
        run.output.rename(aside / "output.txt")
    return aside


def check_labels(arms: Sequence[CheckedArm]) -> None:
    """Refuse arms whose runs would share a folder.

    Raises:
        UsageError: if there is no arm, a label gives no folder name, or two labels give the same one.
    """
    if not arms:
        raise UsageError("a study needs at least one arm")
    taken: dict[str, str] = {}
    for arm in arms:
        name = folder_name(arm.label).casefold()
        if not name:
            raise UsageError(f"an arm's label {arm.label!r} gives no name for a folder: choose another")
        if name in taken:
            raise UsageError(f"the arms '{taken[name]}' and '{arm.label}' would share a folder: rename one")
        taken[name] = arm.label


def _compare(folder: Path, wanted: Mapping[str, Definition]) -> None:
    known = read_arms(folder) if (folder / STUDY).is_file() else {}
    problems = [
        f"its arm '{label}' differs: {'; '.join(_differences(known[label], arm))}"
        for label, arm in wanted.items()
        if label in known and known[label] != arm
    ]
    if problems:
        raise UsageError(
            [f"the folder '{folder}' contains another study: choose another folder with --study-dir", *problems]
        )


def _differences(known: Definition, wanted: Definition) -> Iterator[str]:
    if known["plugins"] != wanted["plugins"]:
        yield f"plugins {','.join(known['plugins'])} there, {','.join(wanted['plugins'])} here"
    for path in sorted({*known["values"], *wanted["values"]}):
        there, here = (side["values"].get(path, "not set") for side in (known, wanted))
        if there != here:
            yield f"{path} {there} there, {here} here"
