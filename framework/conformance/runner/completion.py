"""Completes the named plugins to whole compositions, by adding what they need to run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pluggy

from framework import hookspecs
from framework.assembly.assemble import assemble
from framework.assembly.configuration import absolute, configure, plugin_names
from framework.assembly.discovery import installed, providers
from framework.assembly.loading import expand
from framework.assembly.manager import ENGINE, Implementation, implementations, owner_of
from framework.config import Source
from framework.conformance.subject import Subject
from framework.defaults import plugin as defaults
from framework.errors import UsageError
from framework.hooks import PROJECT

ENVIRONMENT = "chain"
"""The environment that is added if the named plugins have none."""

AGENT = tuple(
    name
    for name, hook in vars(hookspecs).items()
    if name.startswith("make_") and name != "make_env" and not hasattr(defaults, name) and callable(hook)
)
"""The slots that a family fills, because the engine has no default for them: policy, loss and optimiser."""


@dataclass(frozen=True)
class Refused:
    """A composition that does not fit, and the reasons."""

    names: tuple[str, ...]
    problems: tuple[str, ...]


def complete(
    names: str | Sequence[str], beside: str | None = None, values: Mapping[str, Any] | None = None
) -> tuple[list[Subject], list[Refused]]:
    """The compositions in which the plugins are checked, and those that were tried and do not fit.

    Args:
        names, beside: see `candidates`.
        values: the user's options.

    Raises:
        UsageError: if none fits.
    """
    fitting, refused = [], []
    for candidate in candidates(names, beside):
        subject = Subject(candidate, values or {})
        try:
            require_fit(subject)
            fitting.append(subject)
        except UsageError as error:
            refused.append(Refused(candidate, error.problems))
    if not fitting:
        raise none_fits(refused)
    return fitting, refused


def candidates(names: str | Sequence[str], beside: str | None = None) -> list[tuple[str, ...]]:
    """The compositions in which the plugins may be checked.

    The function adds what is missing: the plugins that own the hooks that the named plugins extend, a family (one
    candidate for each installed family), and the environment `chain`. A plugin may name what is added first, as in
    `CHECK_WITH = "dqn,grid"`. If `beside` is given, only its plugins are added.

    Args:
        names: as on the command line.
        beside: further plugins, which must make the composition complete.

    Raises:
        UsageError: if a plugin cannot be found or imported, or its `CHECK_WITH` is not a string.
    """
    named = [absolute(name) for name in plugin_names(names)]
    found = [_joined(named, plugin_names(beside))] if beside is not None else _candidates(named)
    return [tuple(candidate) for candidate in found]


def require_fit(subject: Subject) -> None:
    """Build the composition with the user's options. Other errors of plugins are no refusal: checks report them.

    Raises:
        UsageError: with what is wrong with the composition or with the user's options.
    """
    require_options(subject)
    with _usage_errors_only():
        assemble(subject.names, sources=[Source("--set", subject.values, unread="refused")]).close()


def require_options(subject: Subject) -> None:
    """Settle the user's options without building anything.

    Raises:
        UsageError: with what is wrong with the options.
    """
    with _usage_errors_only():
        configure(subject.names, [Source("--set", subject.values)])


@contextmanager
def _usage_errors_only() -> Iterator[None]:
    """Suppress all errors but usage errors, because checks report the others."""
    try:
        yield
    except UsageError:
        raise
    except Exception:
        return


def none_fits(refused: Sequence[Refused]) -> UsageError:
    """The error that says what is wrong with each composition that was tried."""
    tried = [f"{','.join(each.names)}: {problem}" for each in refused for problem in each.problems]
    return UsageError(tried if len(refused) == 1 else [*tried, "none of these fits: name what is missing with --with"])


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
        raise UsageError(f"{name}: CHECK_WITH must be names separated by commas, such as 'dqn,chain', not {wish!r}")
    return wish


def _found(plugins: dict[str, object]) -> list[Implementation]:
    manager = pluggy.PluginManager(PROJECT)
    return [
        each for name, plugin in plugins.items() if name != ENGINE for each in implementations(manager, name, plugin)
    ]


def _joined(names: Sequence[str], more: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*names, *more]))
