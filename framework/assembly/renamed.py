"""Options that became plugins: the old names work for one version, with a warning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from framework.config import Source


@dataclass(frozen=True)
class Renamed:
    """An option whose part in a run a plugin has taken over."""

    plugin: str
    option: str
    """The plugin's option that holds the value now; "" if it has none."""
    wants: Callable[[Any], bool]
    """Whether a value asks for the plugin to be added."""


RENAMED: Mapping[str, Renamed] = {
    "dqn.averaging": Renamed("averaging", "averaging.rate", bool),
    # it was on by default, and only where the environment declared a mirror, which brings the plugin in by itself
    "replay.mirror": Renamed("mirror", "", lambda value: False),
}


def translate(
    names: Sequence[str], sources: Sequence[Source], expand: Callable[[Sequence[str]], Sequence[str]]
) -> tuple[list[str], list[Source], list[str]]:
    """Say with plugins what old names of options say: (names, sources, warnings).

    Args:
        names: the plugins that the user named.
        sources: what the user says, weakest first.
        expand: names → all plugins that they stand for.
    """
    given = {path: source.values[path] for source in sources for path in source.values if path in RENAMED}
    named, warnings = list(names), []
    for path, value in given.items():
        renamed = RENAMED[path]
        there = renamed.plugin in expand(named)
        if renamed.wants(value) and not there:
            named.append(renamed.plugin)
        elif not value and there:
            taken_out = f"no:{renamed.plugin}"
            named = [name for name in named if name != renamed.plugin]
            named += [taken_out] if renamed.plugin in expand(named) else []
        option = f", with its option {renamed.option}" if renamed.option else ""
        warnings.append(
            f"warning: {path} is the plugin '{renamed.plugin}' now{option}; the old name goes in the next version"
        )
    return named, [_translated(source) for source in sources], warnings


def _translated(source: Source) -> Source:
    values = {}
    for path, value in source.values.items():
        renamed = RENAMED.get(path)
        if renamed is None:
            values[path] = value
        elif renamed.option and renamed.wants(value):
            values[renamed.option] = value
    return replace(source, values=values)
