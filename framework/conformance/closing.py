"""From what somebody wants checked to whole compositions: a plugin alone is given what it needs to run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pluggy

from framework import hookspecs
from framework.composition import absolute, plugin_names
from framework.conformance.subject import Subject
from framework.discovery import installed, providers
from framework.errors import UsageError
from framework.hookspecs import PROJECT
from framework.loading import expand
from framework.manager import ENGINE, Implementation, implementations, owner_of

ENVIRONMENT = "chain"
"""What a plugin without an environment is checked on."""

AGENT = ("make_policy", "make_loss", "make_optimizer")
"""The slots that a family fills, as the engine has no default for them."""


def close(names: str | Sequence[str], beside: str | None = None) -> list[Subject]:
    """The compositions in which some plugins are checked.

    What is missing is added: the plugins that own the hooks that they extend, a family (each that fits, if several do)
    and `chain`. A plugin's own `CHECK_WITH = "dqn,grid"` goes before all that, and `beside` before everything.

    Args:
        names: as on the command line.
        beside: further plugins, with which the composition must be whole.

    Raises:
        UsageError: if no composition fits, with what is wrong with each that was tried.
    """
    named = [absolute(name) for name in plugin_names(names)]
    if beside is not None:
        candidates = [_joined(named, plugin_names(beside))]
    else:
        candidates = list(_candidates(named))
    subjects = [Subject(tuple(candidate)) for candidate in candidates]
    refusals = [_refusal(subject) for subject in subjects]
    fitting = [subject for subject, problems in zip(subjects, refusals, strict=True) if not problems]
    if fitting:
        return fitting
    tried = [
        f"{','.join(subject.names)}: {problem}"
        for subject, problems in zip(subjects, refusals, strict=True)
        for problem in problems
    ]
    raise UsageError(tried if len(subjects) == 1 else [*tried, "none of these fits: name what does, with --with"])


def _refusal(subject: Subject) -> Sequence[str]:
    """What is wrong with the composition; a plugin that raises is none of it, as checks are there to report that."""
    try:
        with subject.assembled():
            return ()
    except UsageError as error:
        return error.problems
    except Exception:
        return ()


def _candidates(named: Sequence[str]) -> Iterable[list[str]]:
    plugins = expand(named).plugins
    wished = [part for plugin in plugins.values() for part in plugin_names(_check_with(plugin))]
    names = _joined(named, wished if not _whole(plugins) else [])
    plugins = expand(names).plugins
    extended = [each.hook for each in _found(plugins) if not hasattr(hookspecs, each.hook)]
    owners = {owner_of(hook, installed()) for hook in extended} - {"", *plugins}
    names = _joined(sorted(owners), names)
    filled = {each.hook for each in _found(expand(names).plugins) if not each.wrapper}
    if "make_env" not in filled:
        names = _joined(names, [ENVIRONMENT])
    if set(AGENT) <= filled:
        yield names
        return
    for family in providers().get(AGENT[0], ()):
        yield _joined([family], names)


def _whole(plugins: dict[str, object]) -> bool:
    filled = {each.hook for each in _found(plugins) if not each.wrapper}
    return {*AGENT, "make_env"} <= filled


def _check_with(plugin: object) -> str:
    wish: Any = getattr(plugin, "CHECK_WITH", "")
    if not isinstance(wish, str):
        name = getattr(plugin, "__name__", plugin)
        raise UsageError(f"{name}: CHECK_WITH must be names with commas between them, as 'dqn,chain', not {wish!r}")
    return wish


def _found(plugins: dict[str, object]) -> list[Implementation]:
    manager = pluggy.PluginManager(PROJECT)
    return [
        each for name, plugin in plugins.items() if name != ENGINE for each in implementations(manager, name, plugin)
    ]


def _joined(names: Sequence[str], more: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*names, *more]))
