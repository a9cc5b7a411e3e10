"""Options that became plugins. The old names still work in this version, with a warning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from framework.config import Source


@dataclass(frozen=True)
class Renamed:
    """An option that became a plugin."""

    plugin: str
    option: str
    """The plugin's option that now takes the value; "" if there is none."""
    wants: Callable[[Any], bool]
    """Whether this value of the old option needs the plugin."""


RENAMED: Mapping[str, Renamed] = {
    "dqn.averaging": Renamed("averaging", "averaging.rate", bool),
    # on by default, with effect only if the environment declared a mirror; such environments bring the plugin in
    "replay.mirror": Renamed("mirror", "", lambda value: False),
}


def translate(
    names: Sequence[str], sources: Sequence[Source], expand: Callable[[Sequence[str]], Sequence[str]]
) -> tuple[list[str], list[Source], list[str]]:
    """Replace old options by plugins and their options: (names, sources, warnings).

    Args:
        names: the plugins that the user named.
        sources: the user's values, weakest first.
        expand: names → all plugins, with bundles expanded.
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
        if value and not there and not renamed.wants(value):
            option = f", which this composition does not have: add {renamed.plugin}"
        warnings.append(
            f"warning: {path} is the plugin '{renamed.plugin}' now{option}; the next version will not know the old name"
        )
    kept = {path for path, value in given.items() if RENAMED[path].wants(value)}
    gone = {RENAMED[path].plugin for path, value in given.items() if not value}
    sources = [
        replace(source, values={p: v for p, v in source.values.items() if p.partition(".")[0] not in gone})
        for source in sources
    ]
    return named, [_translated(source, kept) for source in sources], warnings


def _translated(source: Source, kept: set[str]) -> Source:
    """The source with the new names of the old options in `kept`, and without the other old options."""
    values = {}
    for path, value in source.values.items():
        renamed = RENAMED.get(path)
        if renamed is None:
            values[path] = value
        elif path in kept and renamed.option and renamed.wants(value):
            values[renamed.option] = value
    return replace(source, values=values)
