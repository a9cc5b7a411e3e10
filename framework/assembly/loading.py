"""Loads plugins by their names on the command line: expands bundles, applies `no:NAME` and verifies the result."""

from __future__ import annotations

import inspect
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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


def expand(names: Sequence[str]) -> Expanded:
    """Resolve names and expand bundles.

    Args:
        names: as for `load_plugins`.

    Raises:
        UsageError: with every problem that was found.
    """
    wanted = list(dict.fromkeys(name for name in names if not name.startswith("no:")))
    removed = [name.removeprefix("no:") for name in names if name.startswith("no:")]
    problems: list[str] = [] if wanted else ["no plugins were named; for example: --plugins tabular,chain"]
    plugins: dict[str, object] = {ENGINE: defaults}
    values: list[tuple[str, dict[str, Any]]] = []
    origins: dict[str, Origin] = {}
    taken_out: set[str] = set()
    queue: list[tuple[str, str | None]] = [(name, None) for name in wanted]
    found: dict[str, tuple[str, object]] = {}
    families: dict[str, list[str]] = {}
    for text in wanted:
        with suppress(UsageError):  # the loop below reports a name that cannot be resolved
            found[text] = resolve(text)
    for name, plugin in found.values():
        try:
            for family in families_of(name, plugin):
                families.setdefault(family, []).append(name)
        except UsageError as error:
            problems.extend(error.problems)
    excluded: set[str] = set()
    while True:
        while queue:
            text, bringer = queue.pop(0)
            if text in removed:
                taken_out.add(text)
                continue
            try:
                name, plugin = found.get(text) or resolve(text)
            except UsageError as error:
                problems.extend(error.problems)
                continue
            if plugins.setdefault(name, plugin) is not plugin:
                problems.append(f"two plugins are called '{name}': rename one")
                continue
            origins.setdefault(name, Origin(text, bringer))
            try:
                bundle = bundle_of(name, plugin, wanted, list(families), list(plugins))
            except UsageError as error:
                problems.extend(error.problems)
                continue
            excluded.update(part.removeprefix("no:") for part in bundle.plugins if part.startswith("no:"))
            known = {*plugins, *(origin.text for origin in origins.values())}
            queue.extend((part, name) for part in _new_parts(bundle, known, queue))
            if bundle.values:
                values.append((name, dict(bundle.values)))
        # what a bundle brings in may depend on what others have brought in since
        queue = [] if problems else _later_parts(plugins, origins, wanted, list(families), taken_out)
        if not queue:
            break
    for name in excluded:
        if name in origins and origins[name].bundle is not None:
            del plugins[name], origins[name]
    for name in removed:
        if name in wanted:
            problems.append(f"no:{name} takes out '{name}', which you also named: drop one of the two")
        elif name not in taken_out:
            problems.append(f"no:{name} has no effect: no named bundle brings in '{name}'")
    problems.extend(_clashes(values))
    if problems:
        raise UsageError(problems)
    return Expanded(plugins, values, origins, families)


def _new_parts(bundle: Bundle, known: Container[str], queue: Sequence[tuple[str, str | None]]) -> list[str]:
    queued = [text for text, _ in queue]
    return [part for part in bundle.plugins if part not in known and part not in queued and not part.startswith("no:")]


def _later_parts(
    plugins: Mapping[str, object],
    origins: Mapping[str, Origin],
    wanted: Sequence[str],
    families: Sequence[str],
    taken_out: Iterable[str],
) -> list[tuple[str, str | None]]:
    """The parts that bundles bring in now that more plugins are known, and that are not there yet."""
    known = {*plugins, *(origin.text for origin in origins.values()), *taken_out}
    found: list[tuple[str, str | None]] = []
    for name, plugin in plugins.items():
        bundle = bundle_of(name, plugin, wanted, families, list(plugins))
        found += [(part, name) for part in _new_parts(bundle, known, found)]
    return found


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
        and all(isinstance(part, str) for part in result.plugins)
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
