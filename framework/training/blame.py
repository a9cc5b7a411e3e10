"""Finds the plugin, the hook and the line that caused an exception or a hang."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from framework.assembly.manager import ENGINE, PluginError
from framework.assembly.parts import Agent, Parts
from framework.errors import FrameworkError

CALLBACKS_HOOK = "make_callbacks"

LIBRARIES = ("site-packages", "<frozen ", sysconfig.get_path("stdlib"))
"""A path that contains one of these belongs to Python or to a library."""


@dataclass(frozen=True)
class Culprit:
    """`plugin` raised (or hangs) in the part that fills `hook`, at `place`: file, line and function."""

    plugin: str
    hook: str
    place: str


def culprit(frames: Iterable[tuple[FrameType, int]], parts: Agent, callbacks: Sequence[object] = ()) -> Culprit | None:
    """Find the plugin and the hook whose code was running.

    The hook is that of the innermost part on the stack. Without a part on the stack, it is `make_callbacks` in a run,
    and `make_env` where an agent only plays. The plugin is the one whose file contains the innermost line of any
    plugin, because several plugins may contribute to a part.
    If there is no such line, it is the plugin that filled the hook.

    Args:
        frames: the frames of a stack with their current lines, the outermost first.
        parts: the parts of the run, or an agent.
        callbacks: the callbacks of the run.

    Returns:
        None if neither a part nor a plugin was running.
    """
    stack = list(frames)
    hooks = {id(getattr(parts, name)): hook for hook, name in _slots(parts)}
    hooks |= {id(callback): CALLBACKS_HOOK for callback in callbacks}
    at_work = [hooks[id(frame.f_locals["self"])] for frame, _ in stack if id(frame.f_locals.get("self")) in hooks]
    homes = {home: name for name in parts.plugins.names for home in _homes(parts.plugins.manager.get_plugin(name))}
    own = [(homes[home], frame, line) for frame, line in stack if (home := _home_of(frame, homes))]
    if not own and not at_work:
        return None
    hook = at_work[-1] if at_work else CALLBACKS_HOOK if isinstance(parts, Parts) else "make_env"
    if own:
        plugin, frame, line = own[-1]
    else:
        plugin = parts.filled.get(hook, ENGINE)
        frame, line = _innermost(stack)
    return Culprit(plugin, hook, f"{Path(frame.f_code.co_filename).name}:{line}, in {frame.f_code.co_name}")


def _blamed(error: Exception, parts: Agent, callbacks: Sequence[object] = ()) -> PluginError | None:
    """The error with the plugin's name and hook added to its message, or None if no plugin was involved."""
    found = culprit(traceback.walk_tb(error.__traceback__), parts, callbacks)
    if found is None or found.plugin not in parts.plugins.names:
        return None
    return PluginError(
        f"plugin '{found.plugin}' raised an error in the part of {found.hook} (at {found.place}): "
        f"{type(error).__name__}: {error}"
    )


@contextmanager
def plugins_named(agent: Agent, callbacks: Sequence[object] = ()) -> Iterator[None]:
    """Turn a plugin's error, in training or while an agent plays, into one that names the plugin."""
    try:
        yield
    except FrameworkError:
        raise
    except Exception as error:
        explained = _blamed(error, agent, callbacks)
        if explained is None:
            raise
        raise explained from error


def _slots(parts: Agent) -> list[tuple[str, str]]:
    """Pairs of a slot and the attribute of `Parts` that holds its part."""
    names = {"make_env": "stream"}
    pairs = [(slot, names.get(slot, slot.removeprefix("make_"))) for slot in parts.filled]
    return [(slot, name) for slot, name in pairs if getattr(parts, name, None) is not None]


def _homes(plugin: Any) -> list[str]:
    """The file of a plugin, or its folder if it is a package; empty if it has no file."""
    file = getattr(plugin, "__file__", None)
    if file is None:
        return []
    path = Path(file)
    return [str(path.parent) if path.name == "__init__.py" else str(path)]


def _home_of(frame: FrameType, homes: Iterable[str]) -> str:
    file = frame.f_code.co_filename
    return next((home for home in homes if file == home or file.startswith(f"{home}/")), "")


def _innermost(stack: Sequence[tuple[FrameType, int]]) -> tuple[FrameType, int]:
    """The innermost line outside libraries, or the innermost line if there is none."""
    ours = [place for place in stack if not any(part in place[0].f_code.co_filename for part in LIBRARIES)]
    return (ours or stack)[-1]
