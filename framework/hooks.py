"""The markers that a plugin puts on its functions, and what a bundle returns. `framework.hookspecs` has the hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pluggy

API_VERSION = 2

PROJECT = "framework"

F = TypeVar("F", bound=Callable[..., Any])

hookimpl = pluggy.HookimplMarker(PROJECT)
_hookspec = pluggy.HookspecMarker(PROJECT)


def slot(function: F) -> F:
    """Declare a hook that one plugin fills. A plugin may declare slots of its own, called `<plugin>_<what>`."""
    return _hookspec(function, firstresult=True)


def gathered(function: F) -> F:
    """Declare a hook to which every plugin may contribute."""
    return _hookspec(function)


@dataclass(frozen=True)
class Bundle:
    """A list of plugins and values for their options. The values are stronger than defaults, weaker than the user's."""

    plugins: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    """"section.key" → value."""
    optional: Sequence[str] = ()
    """Plugins that are added, too, unless another plugin of the composition claims one of their slots."""
    agent: str = ""
    """A plugin that is added, too, if no other plugin of the composition fills a slot, `make_env` apart."""
