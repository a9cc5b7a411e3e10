"""The marks of a plugin's hooks, and what a bundle returns. The hooks themselves are in `framework.hookspecs`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pluggy

API_VERSION = 1

PROJECT = "framework"

F = TypeVar("F", bound=Callable[..., Any])

hookimpl = pluggy.HookimplMarker(PROJECT)
_hookspec = pluggy.HookspecMarker(PROJECT)


def slot(function: F) -> F:
    """Declare a hook that one plugin fills; plugins may declare slots of their own, prefixed with their name."""
    return _hookspec(function, firstresult=True)


def gathered(function: F) -> F:
    """Declare a hook to which every plugin may contribute."""
    return _hookspec(function)


@dataclass(frozen=True)
class Bundle:
    """A named list of plugins and the values that they get, stronger than defaults, weaker than the user's own."""

    plugins: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    """"section.key" → value."""
