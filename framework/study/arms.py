"""What a study compares: compositions with values, each assembled once before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from framework.assembly.assemble import assemble_tolerantly
from framework.assembly.configuration import absolute, gather_sections, plugin_names, settle
from framework.assembly.loading import load_plugins
from framework.assembly.manager import Plugins
from framework.config import Config, Source
from framework.errors import UsageError
from framework.options import RunOptions
from framework.training.run import check_ends

FULL = "full"
"""The label of the composition from which an ablation takes parts out."""

OF_THE_STUDY = ("run.plugins", "run.seed")
"""Options that differ from arm to arm and from run to run."""


@dataclass(frozen=True)
class Arm:
    """One of the things that a study compares."""

    label: str
    plugins: str | Sequence[str]
    values: Mapping[str, Any] = field(default_factory=dict)
    """"section.key" → value, stronger than what all arms are given."""


@dataclass(frozen=True)
class CheckedArm:
    """An arm that can be assembled and ends."""

    label: str
    plugins: tuple[str, ...]
    values: Mapping[str, Any]
    """All that its runs are given, "section.key" → value."""
    seed: int
    """The seed that its options name."""
    threads: int
    """Threads of one of its runs: the largest of the options called `threads`, at least one."""
    notes: tuple[str, ...] = ()
    """What the user should know of its assembly: values that found no section."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Options that the user set and that no part of this arm reads → why. They are not among its `values`."""


def check_arm(arm: Arm, sources: Sequence[Source] = ()) -> CheckedArm:
    """Assemble an arm once, as its runs will be.

    Args:
        arm: the arm.
        sources: what all arms are given, weakest first.

    Raises:
        UsageError: if it cannot be assembled, or would never end.
    """
    names = plugin_names(arm.plugins)
    own = Source(f"arm '{arm.label}'", arm.values, unread="refused")
    given = [*sources, own] if arm.values else sources
    parts = assemble_tolerantly(names, given)
    try:
        check_ends(parts)
    finally:
        parts.close()
    values = {path: value for source in settle(given) for path, value in source.values.items()}
    return CheckedArm(
        label=arm.label,
        plugins=tuple(absolute(name) for name in names),
        values={path: values[path] for path in values if path not in OF_THE_STUDY and path not in parts.unread},
        seed=parts.config[RunOptions].seed,
        threads=_threads(parts.config),
        notes=tuple(parts.notes),
        unread=parts.unread,
    )


def ablation(names: str | Sequence[str], sources: Sequence[Source] = ()) -> tuple[list[CheckedArm], list[str]]:
    """The composition, and the composition less each of its plugins: (arms, notes).

    A plugin that brings others in stands for them and is no arm itself. Nor is one without which nothing can be
    assembled, as the environment or the family; a note says why.

    Args:
        names: the plugins.
        sources: what the user says, weakest first. An arm is not given the options of the plugin that it lacks.

    Raises:
        UsageError: if the composition cannot be assembled, would never end, or has nothing that can be left out.
    """
    named = plugin_names(names)
    arms = [check_arm(Arm(FULL, named), sources)]
    notes = list(arms[0].notes)
    whole = load_plugins(named)
    bringers = {origin.bundle for origin in whole.origins.values()}
    for name in [name for name in whole.names if name not in bringers]:
        label = f"no {name}"
        try:
            rest = _without(named, name, whole.origins[name].text)
            gone = _section_names(whole) - _section_names(load_plugins(rest))
            arm = check_arm(Arm(label, rest), [_less(source, gone) for source in sources])
        except UsageError as error:
            notes.append(f"{name} stays in every arm; without it, {'; '.join(error.problems)}")
            continue
        arms.append(arm)
    if len(arms) == 1:
        raise UsageError(["nothing can be left out of this composition", *notes])
    refuse_unread(arms)
    return arms, notes


def refuse_unread(arms: Sequence[CheckedArm]) -> None:
    """Refuse options that the user set and that no arm reads.

    Raises:
        UsageError: with every such option, and why the first arm does not read it.
    """
    everywhere = set.intersection(*[set(arm.unread) for arm in arms]) if arms else set()
    problems = [arms[0].unread[path] for path in sorted(everywhere)]
    if problems:
        raise UsageError(problems)


def _without(named: Sequence[str], name: str, text: str) -> list[str]:
    """The composition less one plugin, whether it was named, a bundle brought it in, or both."""
    rest = [other for other in named if other != text]
    return [*rest, f"no:{text}"] if name in load_plugins(rest).names else rest


def _section_names(plugins: Plugins) -> set[str]:
    return {section.section_name for section in gather_sections(plugins)}


def _less(source: Source, sections: set[str]) -> Source:
    kept = {path: value for path, value in source.values.items() if path.partition(".")[0] not in sections}
    return replace(source, values=kept)


def _threads(config: Config) -> int:
    asked = [value for path, value in config.flat().items() if path.endswith(".threads") and isinstance(value, int)]
    return max([1, *asked])
