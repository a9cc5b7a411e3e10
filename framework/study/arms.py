"""The arms that a study compares: compositions with values. Each is assembled once before any run starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from framework.assembly.assemble import assemble_tolerantly, idle_plugins
from framework.assembly.configuration import absolute, gather_sections, plugin_names, without_void_values
from framework.assembly.loading import load_plugins
from framework.assembly.manager import Plugins
from framework.assembly.parts import Parts
from framework.config import Config, Source
from framework.errors import UsageError
from framework.options import RunOptions
from framework.training.ends import check_ends
from framework.training.initial import initialise
from framework.types import Described

FULL = "full"
"""The label of the complete composition in an ablation."""

OF_THE_STUDY = ("run.plugins", "run.seed")
"""Options that the study sets itself, for each arm or each run."""


@dataclass(frozen=True)
class Arm:
    """One composition that a study compares with others."""

    label: str
    plugins: str | Sequence[str]
    values: Mapping[str, Any] = field(default_factory=dict)
    """"section.key" → value. They override the values that all arms share."""


@dataclass(frozen=True)
class CheckedArm:
    """An arm that can be assembled and whose runs end."""

    label: str
    plugins: tuple[str, ...]
    values: Mapping[str, Any]
    """All values of its runs, "section.key" → value."""
    seed: int
    """The seed in its options."""
    threads: int
    """Threads of one of its runs: the largest of its options called `threads`, and at least one."""
    memory: int = 0
    """Bytes that the replay of one of its runs takes when full, as far as the replay says."""
    notes: tuple[str, ...] = ()
    """Messages for the user about its assembly, for example values for a section that is not loaded."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Options that the user set but no part of this arm reads → the reason. They are not among its `values`."""


def check_arm(arm: Arm, sources: Sequence[Source] = ()) -> CheckedArm:
    """Assemble an arm once, in the same way as its runs.

    Args:
        arm: the arm.
        sources: the values of all arms, the weakest source first.

    Raises:
        UsageError: if the arm cannot be assembled, its runs would never end, or initial weights do not fit.
    """
    names = plugin_names(arm.plugins)
    own = Source(f"arm '{arm.label}'", arm.values, unread="refused")
    given = [*sources, own] if arm.values else sources
    parts = assemble_tolerantly(names, given)
    try:
        check_ends(parts)
        initialise(parts)
        idle = idle_plugins(parts)
        if idle:
            raise UsageError(idle)
    finally:
        parts.close()
    values = {path: value for source in without_void_values(given) for path, value in source.values.items()}
    return CheckedArm(
        label=arm.label,
        plugins=tuple(absolute(name) for name in names),
        values={path: values[path] for path in values if path not in OF_THE_STUDY and path not in parts.unread},
        seed=parts.config[RunOptions].seed,
        threads=_threads(parts.config),
        memory=_replay_bytes(parts),
        notes=tuple(parts.notes),
        unread=parts.unread,
    )


def ablation(names: str | Sequence[str], sources: Sequence[Source] = ()) -> tuple[list[CheckedArm], list[str]]:
    """The full composition, and the composition without each of its plugins: (arms, notes).

    A bundle is not left out itself; the plugins that it brings in are. A plugin that the composition cannot do without,
    such as the environment or the family, stays in every arm, and a note says why.

    Args:
        names: the plugins.
        sources: the user's values, the weakest source first. An arm does not get the options of the plugin it lacks.

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
            rest = _without(whole, named, name)
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
    """Refuse options that the user set but no arm reads.

    Raises:
        UsageError: with every such option, and why the first arm does not read it.
    """
    everywhere = set.intersection(*[set(arm.unread) for arm in arms]) if arms else set()
    problems = [arms[0].unread[path] for path in sorted(everywhere)]
    if problems:
        raise UsageError(problems)


def _without(whole: Plugins, named: Sequence[str], name: str) -> list[str]:
    """The composition without one plugin, whether the user named it, a bundle brought it in, or both.

    Raises:
        UsageError: if a bundle would bring in another agent in its place.
    """
    text = whole.origins[name].text
    rest = [other for other in named if other != text]
    loaded = load_plugins(rest)
    for agent, origin in loaded.origins.items():
        if origin.agent and agent not in whole.names:
            raise UsageError(f"{origin.bundle} brings in another agent, {agent}")
    return [*rest, f"no:{text}"] if name in loaded.names else rest


def _section_names(plugins: Plugins) -> set[str]:
    return {section.section_name for section in gather_sections(plugins)}


def _less(source: Source, sections: set[str]) -> Source:
    kept = {path: value for path, value in source.values.items() if path.partition(".")[0] not in sections}
    return replace(source, values=kept)


def _replay_bytes(parts: Parts) -> int:
    described = parts.buffer.manifest() if isinstance(parts.buffer, Described) else {}
    return int(described.get("bytes", 0))


def _threads(config: Config) -> int:
    asked = [value for path, value in config.flat().items() if path.endswith(".threads") and isinstance(value, int)]
    return max([1, *asked])
