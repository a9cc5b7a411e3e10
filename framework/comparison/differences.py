"""What differs between arms: slots, options, the environment's protocol, versions and the machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from framework.comparison.gathering import ComparedArm
from framework.comparison.recorded import RecordedRun
from framework.errors import listed
from framework.training.identity import ABSENT, leaves

ENTRIES = {"environment": "protocol", "slots": "slot", "versions": "version", "machine": "machine"}
"""An entry of the manifest → what one of its values is called."""

KINDS = ("environment", "protocol", "slot", "option", "version", "machine")
"""The kinds of differences, in the order in which they are shown."""

ENVIRONMENT = "make_env"
"""The slot of the environment."""

OTHER_ENVIRONMENT = ("environment", "plugin")
"""The difference that makes two environments different ones."""

IGNORED = ("run.seed", "checkpoint.every")
"""Options that differ without a meaning: an arm has several seeds, and studies write no checkpoints."""

EVALUATION = (("option", "evaluation.epsilon"), ("option", "evaluation.first"), ("option", "evaluation.max_steps"))
"""Options that change what an evaluation measures."""


@dataclass(frozen=True)
class Difference:
    """A value that is not the same in all arms."""

    kind: str
    """One of `KINDS`."""
    name: str
    values: tuple[str, ...]
    """One for each arm. Several values within an arm stand beside each other."""


def differences(arms: Sequence[ComparedArm]) -> list[Difference]:
    """Every value that is not the same in all runs of the arms. Arms without a run are left out."""
    facts = [[dict(_facts(run)) for run in arm.runs] for arm in arms if arm.runs]
    found = []
    for key in dict.fromkeys(key for runs in facts for run in runs for key in run):
        values = [list(dict.fromkeys(run.get(key, ABSENT) for run in runs)) for runs in facts]
        if len({value for each in values for value in each}) > 1:
            found.append(Difference(*key, tuple(" and ".join(each) for each in values)))
    return sorted(found, key=lambda each: (KINDS.index(each.kind), each.name))


def warnings(arms: Sequence[ComparedArm], what: str) -> list[str]:
    """Why the returns of these arms cannot be compared: other environments, protocols, or rules of an evaluation.

    Args:
        what: "return" or "evaluation".
    """
    labels = [arm.label for arm in arms if arm.runs]
    sections = {_section(run) for arm in arms for run in arm.runs} - {""}
    found: list[str] = []
    for each in differences(arms):
        rule = each.kind == "option" and each.name.partition(".")[0] in sections
        measured = what == "evaluation" and (each.kind, each.name) in EVALUATION
        if each.kind in ("environment", "protocol") or rule or measured:
            told = f"{each.kind} {each.name}".replace("environment plugin", "environment")
            found.append(f"returns must not be compared, because the {told} is {_by_value(labels, each.values)}")
            if (each.kind, each.name) == OTHER_ENVIRONMENT:
                return found[-1:]  # nothing else about them is the same
    return found


def _by_value(labels: Sequence[str], values: Sequence[str]) -> str:
    """ "chain (full, no nstep) and grid (mine)"."""
    groups: dict[str, list[str]] = {}
    for label, value in zip(labels, values, strict=True):
        groups.setdefault(value, []).append(label)
    return listed([f"{value} ({', '.join(group)})" for value, group in groups.items()])


def _facts(run: RecordedRun) -> Iterator[tuple[tuple[str, str], str]]:
    """Every value of a run that may differ: (kind, name) → the value as text."""
    if ENVIRONMENT in run.told("slots"):
        yield OTHER_ENVIRONMENT, str(run.told("slots")[ENVIRONMENT])
    for key in ("observations", "actions"):
        if key in run.manifest:
            yield ("environment", key), str(run.manifest[key])
    for entry, kind in ENTRIES.items():
        for path, value in leaves(run.told(entry)):
            if path and (entry, path) != ("slots", ENVIRONMENT):
                yield (kind, path), value.strip('"')
    for path, value in leaves({key: value for key, value in run.options.items() if key not in IGNORED}):
        if path:
            yield ("option", path), ", ".join(run.plugins) if path == "run.plugins" else value.strip('"')


def _section(run: RecordedRun) -> str:
    """The section of options of the plugin that makes the environment."""
    return str(run.told("slots").get(ENVIRONMENT, "")).partition(":")[0]
