"""From folders to arms: studies keep their arms, and single runs of one composition make one arm."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from framework.comparison.recorded import NO_RESULT, RecordedRun, read_recorded
from framework.errors import UsageError
from framework.recording.files import readable
from framework.study.folder import STUDY, read_arms
from framework.study.runs import RESULT, folder_name
from framework.training.run_folder import CONFIG

LABEL_OPTIONS = 2
"""The largest number of options in the label of an arm of single runs."""


@dataclass(frozen=True)
class ComparedArm:
    """Runs that differ in nothing but their seeds, and perhaps in how far they came."""

    label: str
    runs: tuple[RecordedRun, ...]
    """Sorted by seed. Empty if no run of a study's arm is complete."""
    unfinished: tuple[Path, ...] = ()
    """In an arm of a study: the folders of the runs that are not complete."""

    def names_of_runs(self) -> list[str]:
        """A name for each run, different from the others: "seed 3", with the folder where two have that seed."""
        seeds = [run.seed for run in self.runs]
        return [
            f"seed {run.seed}"
            if run.seed is not None and seeds.count(run.seed) == 1
            else f"seed {run.seed}, {run.folder}"
            for run in self.runs
        ]


@dataclass(frozen=True)
class Gathered:
    """The arms, in the order in which their folders were named."""

    arms: tuple[ComparedArm, ...]
    notes: tuple[str, ...] = ()
    """What the reader must know: runs that are not complete, or that count once although they were named twice."""


@dataclass
class _Arm:
    """The folders of an arm of a study."""

    label: str
    place: Path
    """The arm's own folder."""
    folders: list[Path] = field(default_factory=list)
    unfinished: list[Path] = field(default_factory=list)


def gather(places: Sequence[Path]) -> Gathered:
    """The arms of these folders.

    A study gives each of its arms, with its complete runs. A folder of an arm in a study gives that arm. Any other run,
    a single seed of a study included, makes an arm with those of the same plugins, options and protocol. Only the seed
    and options that do not change what is learnt may differ. A run that was named twice counts once.

    Raises:
        UsageError: if there is no folder, a folder is neither a run nor a study, a file of a run is damaged, or no run
            is left.
    """
    if not places:
        raise UsageError("name at least one folder of a run or of a study")
    found: list[_Arm | Path] = []
    for place in dict.fromkeys(places):
        with readable(place):
            if (place / STUDY).is_file():
                found += _arms_of(place)
            elif (place / CONFIG).is_file():
                found.append(place)
            else:
                found.append(_arm_at(place))
    of_studies = list({arm.place: arm for arm in found if isinstance(arm, _Arm)}.values())
    known = {folder.resolve() for arm in of_studies for folder in arm.folders}
    singles = [place for place in found if isinstance(place, Path)]
    notes = [
        f"{place} belongs to an arm of a study that was named, too: it counts once"
        for place in singles
        if place.resolve() in known
    ]
    runs = {place.resolve(): read_recorded(place) for place in singles if place.resolve() not in known}
    groups: dict[str, list[RecordedRun]] = {}
    for run in runs.values():
        groups.setdefault(run.composition(), []).append(run)
    arms = sorted([*_studied(of_studies), *_single(list(groups.values()))], key=lambda each: _position(found, each))
    arms = [replace(arm, label=label) for arm, label in zip(arms, _told_apart(arms), strict=True)]
    if not any(arm.runs for arm in arms):
        raise UsageError(f"no run is complete in {', '.join(map(str, places))}")
    for arm in arms:
        notes += _notes(arm)
    return Gathered(tuple(arms), (*notes, *_same_composition(arms)))


def _position(found: Sequence[_Arm | Path], arm: ComparedArm) -> int:
    """The place of an arm among what the user named: that of its study's arm, or of its first run."""
    folders = {*(run.folder for run in arm.runs), *arm.unfinished}
    for number, each in enumerate(found):
        if not folders.isdisjoint([each] if isinstance(each, Path) else [*each.folders, *each.unfinished]):
            return number
    return len(found)


def _notes(arm: ComparedArm) -> Iterator[str]:
    if arm.unfinished:
        yield f"not complete, so not in arm '{arm.label}': {', '.join(folder.name for folder in arm.unfinished)}"
    seeds = [run.seed for run in arm.runs]
    for seed in sorted({seed for seed in seeds if seed is not None and seeds.count(seed) > 1}):
        yield f"arm '{arm.label}' has {seeds.count(seed)} runs with seed {seed}, which are no independent samples"
    for run in arm.runs:
        if not run.ended or run.missed_its_end():
            yield f"{run.folder}: {run.state()}"


def _arms_of(study: Path) -> Iterator[_Arm]:
    for label in read_arms(study):
        folder = study / folder_name(label)
        runs = sorted((path for path in folder.glob("seed-*") if path.is_dir() and _seed(path) is not None), key=_order)
        arm = _Arm(label, folder.resolve())
        for run in runs:
            (arm.folders if (run / RESULT).is_file() else arm.unfinished).append(run)
        yield arm


def _arm_at(place: Path) -> _Arm:
    """The arm of a study that has this folder."""
    if (place.parent / STUDY).is_file():
        for label, arm in zip(read_arms(place.parent), _arms_of(place.parent), strict=True):
            if folder_name(label) == place.resolve().name:
                return arm
    what = "does not exist" if not place.exists() else f"has neither a {CONFIG} nor a {STUDY}"
    raise UsageError(f"'{place}' is neither the folder of a run nor of a study: it {what}")


def _seed(run: Path) -> int | None:
    number = run.name.removeprefix("seed-")
    return int(number) if number.isascii() and number.isdigit() else None


def _order(run: Path) -> int:
    return _seed(run) or 0


def _studied(arms: Sequence[_Arm]) -> list[ComparedArm]:
    labels = [arm.label for arm in arms]
    return [
        ComparedArm(
            arm.label if labels.count(arm.label) == 1 else f"{arm.place.parent.name}: {arm.label}",
            tuple(read_recorded(folder) for folder in arm.folders),
            tuple(arm.unfinished),
        )
        for arm in arms
    ]


def _single(groups: Sequence[Sequence[RecordedRun]]) -> list[ComparedArm]:
    """An arm for each group. Groups of the same plugins have the options that differ in their labels."""
    names = [
        ",".join(Path(name).stem if name.endswith(".py") else name for name in group[0].plugins) for group in groups
    ]
    arms = []
    for name, group in zip(names, groups, strict=True):
        beside = [other[0] for label, other in zip(names, groups, strict=True) if label == name]
        options = {path for run in beside for path in run.options if path not in NO_RESULT}
        differ = sorted(
            path for path in options if len({json.dumps(run.options.get(path), default=str) for run in beside}) > 1
        )
        shown = [f"{path}={group[0].options.get(path, 'not set')}" for path in differ[:LABEL_OPTIONS]]
        label = f"{name} ({', '.join(shown)}{', …' if len(differ) > LABEL_OPTIONS else ''})" if shown else name
        arms.append(ComparedArm(label, tuple(sorted(group, key=lambda run: (run.seed or 0, str(run.folder))))))
    return arms


def _told_apart(arms: Sequence[ComparedArm]) -> list[str]:
    """The labels, with a number behind those that are there already."""
    found: list[str] = []
    for arm in arms:
        number = 2
        unique = arm.label or "an arm"
        while unique in found:
            unique = f"{arm.label} #{number}"
            number += 1
        found.append(unique)
    return found


def _same_composition(arms: Sequence[ComparedArm]) -> Iterator[str]:
    by_content: dict[str, list[str]] = {}
    for arm in arms:
        if arm.runs:
            by_content.setdefault(arm.runs[0].composition(), []).append(f"'{arm.label}'")
    for labels in by_content.values():
        if len(labels) > 1:
            yield f"the arms {' and '.join(labels)} have the same plugins and options"
