"""Loads plugins by their names on the command line: expands bundles, applies `no:NAME` and verifies the result."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from framework import hookspecs
from framework.assembly.discovery import resolve
from framework.assembly.manager import CLAIM, ENGINE, Implementation, Origin, Plugins, call
from framework.defaults import plugin as defaults
from framework.errors import UsageError, listed
from framework.hooks import PROJECT, Bundle


def load_plugins(names: Sequence[str]) -> Plugins:
    """Resolve, expand and verify a list of plugin names.

    Args:
        names: as on the command line; `no:NAME` takes out a plugin that a bundle brings in.

    Raises:
        UsageError: with every problem that was found.
    """
    found = expand(names)
    return Plugins(found.plugins, found.values, found.origins, found.families, page=hookspecs)


@dataclass(frozen=True)
class Expanded:
    """The plugins of a list of names, with bundles expanded, and the engine's own plugin. They are not verified yet."""

    plugins: dict[str, object]
    values: list[tuple[str, dict[str, Any]]]
    origins: dict[str, Origin]
    families: dict[str, list[str]]
    """A family of environments → the plugins that belong to it."""


SLOT = {"firstresult": True}
"""What a hook that is not on the engine's page is taken for."""

OF_AN_ENVIRONMENT = {"make_env"}
"""The slots that a plugin without an agent may fill."""

ROUNDS = 50
"""A bundle may depend on what others bring in. If it still changes after so many rounds, it changes without end."""


def expand(names: Sequence[str]) -> Expanded:
    """Resolve names and expand bundles.

    Every bundle is asked with all the plugins of the composition, so rounds follow until one changes nothing.

    Args:
        names: as for `load_plugins`.

    Raises:
        UsageError: with every problem that was found.
    """
    wanted = list(dict.fromkeys(name for name in names if not name.startswith("no:")))
    removed = [name.removeprefix("no:") for name in names if name.startswith("no:")]
    problems: list[str] = [] if wanted else ["no plugins were named; for example: --plugins tabular,chain"]
    resolved = cache(resolve)  # a file must be imported only once
    families: dict[str, list[str]] = {}
    found: dict[str, object] = {}
    for text in wanted:
        with suppress(UsageError):  # the first round reports a name that cannot be resolved
            name, plugin = resolved(text)
            found[name] = plugin
    for name, plugin in found.items():
        try:
            for family in families_of(name, plugin):
                families.setdefault(family, []).append(name)
        except UsageError as error:
            problems.extend(error.problems)
    known = [ENGINE, *found]
    kept_out: set[str] = set()
    reached = _Reached()
    for _ in range(ROUNDS):
        before = reached, kept_out
        reached = _reach(wanted, {*removed, *kept_out}, resolved, list(families), known)
        known, kept_out = list(reached.plugins), kept_out | reached.kept_out
        if reached.problems or before == (reached, kept_out):
            break
    else:
        changing = [name for name, given in reached.bundles.items() if before[0].bundles.get(name) != given]
        problems.append(f"what {listed(changing)} adds depends on itself, and changes without end: drop it")
    problems.extend(reached.problems)
    for name in removed:
        if name in wanted:
            problems.append(f"no:{name} takes out '{name}', which you also named: drop one of the two")
        elif name not in reached.left_out:
            problems.append(f"no:{name} has no effect: no named bundle brings in '{name}'")
    values = [(name, dict(bundle.values)) for name, bundle in reached.bundles.items() if bundle.values]
    problems.extend(_clashes(values))
    if problems:
        raise UsageError(problems)
    return Expanded(reached.plugins, values, reached.origins, families)


@dataclass
class _Reached:
    """What one round found, starting from the plugins that the user named."""

    plugins: dict[str, object] = field(default_factory=lambda: {ENGINE: defaults})
    origins: dict[str, Origin] = field(default_factory=dict)
    bundles: dict[str, Bundle] = field(default_factory=dict)
    agents: set[str] = field(default_factory=set)
    """The agents that came in because nothing else was one."""
    left_out: set[str] = field(default_factory=set)
    """The parts that some bundle adds and that are out."""
    problems: list[str] = field(default_factory=list)

    @property
    def kept_out(self) -> set[str]:
        """The parts that bundles keep out."""
        parts = [part for bundle in self.bundles.values() for part in bundle.plugins]
        return {part.removeprefix("no:") for part in parts if part.startswith("no:")}


def _reach(
    wanted: Sequence[str],
    out: Container[str],
    resolved: Callable[[str], tuple[str, object]],
    families: Sequence[str],
    known: Sequence[str],
) -> _Reached:
    """Follow the bundles from the named plugins, breadth first, without the parts that are out.

    An agent comes in when all else has been found and nothing is one. Optional parts come last, when all that they
    could be in the way of has been found.

    Args:
        known: the plugins of the composition, as far as the round before found them.
    """
    reached = _Reached()
    queue: deque[tuple[str, str | None]] = deque((text, None) for text in wanted)
    agents: deque[tuple[str, str]] = deque()
    optional: deque[tuple[str, str]] = deque()
    seen = set(wanted)
    while queue or agents or optional:
        if not queue:
            queue.extend(
                _next_agent(agents, seen, reached) if agents else _next_optional(optional, seen, resolved, reached)
            )
            continue
        text, bringer = queue.popleft()
        if bringer and text in out:
            reached.left_out.add(text)
            continue
        try:
            name, plugin = resolved(text)
            if bringer and name in out:
                reached.left_out.add(name)
                continue
            if reached.plugins.setdefault(name, plugin) is not plugin:
                reached.problems.append(f"two plugins are called '{name}': rename one")
                continue
            if name in reached.origins:
                continue
            reached.origins[name] = Origin(text, bringer, text in reached.agents)
            bundle = reached.bundles[name] = bundle_of(name, plugin, wanted, families, known)
        except UsageError as error:
            reached.problems.extend(error.problems)
            continue
        for part in bundle.plugins:
            if part not in seen and not part.startswith("no:"):
                seen.add(part)
                queue.append((part, name))
        agents.extend([(bundle.agent, name)] if bundle.agent else [])
        optional.extend((part, name) for part in bundle.optional)
    return reached


def _next_agent(agents: deque[tuple[str, str]], seen: set[str], reached: _Reached) -> list[tuple[str, str]]:
    """The next agent, in a list, or an empty list if it is not to be added."""
    text, bringer = agents.popleft()
    others = [plugin for name, plugin in reached.plugins.items() if name != ENGINE]
    if text in seen or any(slots_of(plugin) - OF_AN_ENVIRONMENT for plugin in others):
        return []
    seen.add(text)
    reached.agents.add(text)
    return [(text, bringer)]


def _next_optional(
    optional: deque[tuple[str, str]], seen: set[str], resolved: Callable[[str], tuple[str, object]], reached: _Reached
) -> list[tuple[str, str]]:
    """The next optional part, in a list, or an empty list if it is not to be added."""
    text, bringer = optional.popleft()
    if text in seen:
        return []
    if _is_in_the_way(text, resolved, reached):
        reached.left_out.add(text)
        return []
    seen.add(text)
    return [(text, bringer)]


def _is_in_the_way(text: str, resolved: Callable[[str], tuple[str, object]], reached: _Reached) -> bool:
    """Whether a plugin claims a slot that one of those found so far claims."""
    try:
        name, plugin = resolved(text)
    except UsageError:
        return False  # it is reported when it is added
    claims = claims_of(plugin)
    return any(claims & claims_of(other) for taken, other in reached.plugins.items() if taken not in (ENGINE, name))


def claims_of(plugin: object) -> set[str]:
    """The slots that a plugin claims. Slots of other plugins are not declared yet, so their hooks count as slots."""
    return {slot for slot, mark in _marked(plugin).items() if not mark["trylast"]}


def slots_of(plugin: object) -> set[str]:
    """The slots that a plugin claims or has a family's default for; see `claims_of`."""
    return set(_marked(plugin))


def _marked(plugin: object) -> dict[str, dict[str, Any]]:
    """The slots that a plugin fills, without those that it decorates → the options of `@hookimpl`."""
    marks = {name: getattr(getattr(plugin, name, None), f"{PROJECT}_impl", None) for name in dir(plugin)}
    fills = {
        mark.get("specname") or name: mark
        for name, mark in marks.items()
        if isinstance(mark, dict) and not (mark["wrapper"] or mark["hookwrapper"])
    }
    specs = {name: getattr(getattr(hookspecs, name, None), f"{PROJECT}_spec", SLOT) for name in fills}
    return {name: mark for name, mark in fills.items() if specs[name]["firstresult"]}


def families_of(name: str, plugin: object) -> Sequence[str]:
    """The families of environments that a plugin belongs to; empty if it declares none.

    Raises:
        UsageError: if its hook takes an argument, or returns anything other than names.
    """
    result = _call_early(name, plugin, "families")
    if result is None:
        return ()
    if isinstance(result, str) or not all(isinstance(family, str) and family.isidentifier() for family in result):
        raise UsageError(f"{name}.families must return a sequence of names, not {result!r}")
    return list(result)


def bundle_of(
    name: str, plugin: object, wanted: Sequence[str], families: Sequence[str] = (), plugins: Sequence[str] = ()
) -> Bundle:
    """The plugins and values that a plugin adds to the composition: none if it has no hook `bundle`.

    Raises:
        UsageError: if its hook takes an unknown argument, or does not return a `Bundle` of names and values.
    """
    result = _call_early(name, plugin, "bundle", names=wanted, families=families, plugins=plugins)
    if result is None:
        return Bundle()
    fits = (
        isinstance(result, Bundle)
        and not isinstance(result.plugins, str)
        and not isinstance(result.optional, str)
        and isinstance(result.agent, str)
        and all(isinstance(part, str) for part in (*result.plugins, *result.optional))
        and isinstance(result.values, Mapping)
        and all(isinstance(path, str) for path in result.values)
    )
    if not fits:
        raise UsageError(f"{name}.bundle must return Bundle([names], {{'section.key': value}}), not {result!r}")
    return result


def _call_early(name: str, plugin: object, hook: str, **given: Any) -> Any:
    """Call a hook before the plugins are verified; None if the plugin does not implement it.

    Raises:
        UsageError: if it takes an argument that the hook does not have.
    """
    function = getattr(plugin, hook, None)
    if function is None or not hasattr(function, f"{PROJECT}_impl"):
        return None
    arguments = tuple(inspect.signature(function).parameters)
    if not set(arguments) <= set(given):
        has = f"the hook's arguments: {listed(list(given))}" if given else "the hook has no arguments"
        raise UsageError(f"{name}.{hook} takes {listed(arguments)}; {has}")
    return call(Implementation(name, hook, function, arguments, False, CLAIM), **given)


def _clashes(values: Sequence[tuple[str, dict[str, Any]]]) -> Iterable[str]:
    first: dict[str, tuple[str, Any]] = {}
    for name, given in values:
        for path, value in given.items():
            other, before = first.setdefault(path, (name, value))
            if before != value:
                yield f"{other} and {name} give {path} different values ({before!r} and {value!r}): drop one of them"
