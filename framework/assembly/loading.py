"""From names, as on the command line, to a verified set of plugins: bundles expanded, parts taken out."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
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
        names: as on the command line; `no:NAME` takes a part out of what bundles brought in.

    Raises:
        UsageError: with every problem that was found.
    """
    found = expand(names)
    return Plugins(found.plugins, found.values, found.origins, found.families, page=hookspecs)


@dataclass(frozen=True)
class Expanded:
    """What some names stand for, bundles unfolded; not verified yet. The engine's own plugin is among them."""

    plugins: dict[str, object]
    values: list[tuple[str, dict[str, Any]]]
    origins: dict[str, Origin]
    families: dict[str, list[str]]
    """A family of environments → the plugins that belong to it."""


def expand(names: Sequence[str]) -> Expanded:
    """Resolve names and unfold bundles.

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
        with suppress(UsageError):  # what cannot be had is reported below, in its turn
            name, plugin = found[text] = resolve(text)
            for family in families_of(name, plugin):
                families.setdefault(family, []).append(name)
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
            bundle = bundle_of(name, plugin, wanted, list(families))
        except UsageError as error:
            problems.extend(error.problems)
            continue
        queued = [text for text, _ in queue]
        queue.extend((part, name) for part in bundle.plugins if part not in plugins and part not in queued)
        if bundle.values:
            values.append((name, dict(bundle.values)))
    for name in removed:
        if name in wanted:
            problems.append(f"no:{name} takes out '{name}', which is named as well: drop one of the two")
        elif name not in taken_out:
            problems.append(f"no:{name}: no bundle that was named brings '{name}' in")
    problems.extend(_clashes(values))
    if problems:
        raise UsageError(problems)
    return Expanded(plugins, values, origins, families)


def families_of(name: str, plugin: object) -> Sequence[str]:
    """The families of environments that a plugin belongs to; none where it declares none.

    Raises:
        UsageError: if its hook returns anything else than names.
    """
    result = _call_early(name, plugin, "families")
    if result is None:
        return ()
    if isinstance(result, str) or not all(isinstance(family, str) and family.isidentifier() for family in result):
        raise UsageError(f"{name}.families must return a sequence of names, not {result!r}")
    return list(result)


def bundle_of(name: str, plugin: object, wanted: Sequence[str], families: Sequence[str] = ()) -> Bundle:
    """What a plugin brings in beside the plugins that were named; an empty bundle where it is none.

    Raises:
        UsageError: if its hook asks for, or returns, anything else than it may.
    """
    result = _call_early(name, plugin, "bundle", names=wanted, families=families)
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
    """Call a hook before the plugins are verified; None where the plugin does not implement it.

    Raises:
        UsageError: if it asks for an argument that the hook does not have.
    """
    function = getattr(plugin, hook, None)
    if function is None or not hasattr(function, f"{PROJECT}_impl"):
        return None
    arguments = tuple(inspect.signature(function).parameters)
    if not set(arguments) <= set(given):
        has = f"its arguments: {listed(list(given))}" if given else "it has none"
        raise UsageError(f"{name}.{hook} asks for {listed(arguments)}; {has}")
    return call(Implementation(name, hook, function, arguments, False, CLAIM), **given)


def _clashes(values: Sequence[tuple[str, dict[str, Any]]]) -> Iterable[str]:
    first: dict[str, tuple[str, Any]] = {}
    for name, given in values:
        for path, value in given.items():
            other, before = first.setdefault(path, (name, value))
            if before != value:
                yield f"{other} and {name} give {path} different values ({before!r} and {value!r}): name one of them"
