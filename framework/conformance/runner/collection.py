"""Collects the checks of a composition: the engine's, which are in the package `checks`, and those of plugins."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Sequence

from framework.assembly.manager import Expected, PluginError, Plugins, call_gathered
from framework.conformance import checks
from framework.conformance.check import COMPONENTS, Check, checks_in
from framework.conformance.subject import Subject
from framework.errors import UsageError

CHECKS = Expected(
    "a sequence of framework.conformance.check.Check objects",
    lambda given: isinstance(given, Sequence) and all(isinstance(check, Check) for check in given),
)


def engine_checks() -> list[Check]:
    """The engine's own checks, which apply to every composition. They come from every module in the folder `checks`."""
    names = sorted(module.name for module in pkgutil.walk_packages(checks.__path__, f"{checks.__name__}."))
    found = [check for name in names for check in checks_in(importlib.import_module(name))]
    return list(dict.fromkeys(found))


def collect(plugins: Plugins) -> list[Check]:
    """Every check for a composition, in the order of `COMPONENTS`, the engine's checks before those of plugins.

    Raises:
        UsageError: if a plugin's hook returns anything else than checks, or two checks have the same name.
    """
    # two plugins may bring the same check
    found = list(dict.fromkeys([*engine_checks(), *_plugin_checks(plugins)]))
    twice = sorted(_twice(check.name for check in found))
    if twice:
        raise UsageError([f"two checks are called '{name}': rename one" for name in twice])
    return sorted(found, key=lambda check: COMPONENTS.index(check.component))


def _plugin_checks(plugins: Plugins) -> Iterator[Check]:
    """The checks of the plugins. If a plugin's hook raises, yield a check that fails with that error."""
    for found in plugins.in_order("conformance_checks"):
        try:
            yield from call_gathered(found, CHECKS) or ()
        except PluginError as error:
            yield _failing_check(found.plugin, error)


def _failing_check(plugin: str, error: PluginError) -> Check:
    def brings_its_checks(subject: Subject) -> None:
        """The plugin's hook conformance_checks returns its checks."""
        raise error

    return Check(f"{plugin}_{brings_its_checks.__name__}", COMPONENTS[0], "", brings_its_checks)


def _twice(names: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]
