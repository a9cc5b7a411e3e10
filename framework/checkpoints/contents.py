"""All that a run consists of, as one state: gathered from its parts, and put back into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from framework.checkpoints.folder import Checkpoint
from framework.errors import FrameworkError
from framework.training.loop import Loop
from framework.types import Segmented, State, Stateful


def gather(loop: Loop) -> tuple[State, Mapping[str, Callable[[], State]]]:
    """(what is written anew, name → how to read a segment), while nothing is under way."""
    parts: dict[str, State] = {}
    names: dict[str, list[str]] = {}
    segments: dict[str, Callable[[], State]] = {}
    for name, part in loop.parts.stateful().items():
        if isinstance(part, Segmented):
            parts[name], cut = part.cut()
            pieces = {f"{name}-{piece}": read for piece, read in cut.items()}
            names[name] = list(pieces)
            segments |= pieces
        else:
            parts[name] = part.state_dict()
    callbacks = {name: callback.state_dict() for name, callback in _callbacks(loop).items()}
    return {"parts": parts, "segments": names, "callbacks": callbacks, "loop": loop.state_dict()}, segments


def restore(loop: Loop, checkpoint: Checkpoint) -> None:
    """Put everything back into a loop that has not run yet.

    Raises:
        FrameworkError: naming the file and what does not fit, if this is not the state of such a run.
    """
    state = checkpoint.state()
    groups: dict[str, Mapping[str, Stateful]] = {"parts": loop.parts.stateful(), "callbacks": _callbacks(loop)}
    for group, members in groups.items():
        saved = set(state.get(group, ()))
        if saved != set(members):
            odd = ", ".join(sorted(saved ^ set(members)))
            raise FrameworkError(f"{checkpoint.path}: its {group} are not those of this run: {odd}")
    for group, members in groups.items():
        for name, member in members.items():
            with _fitting(checkpoint, name):
                if isinstance(member, Segmented):
                    member.join(state[group][name], checkpoint.segments(state["segments"][name]))
                else:
                    member.load_state_dict(state[group][name])
    with _fitting(checkpoint, "loop"):
        loop.load_state_dict(state["loop"])


@contextmanager
def _fitting(checkpoint: Checkpoint, name: str) -> Iterator[None]:
    try:
        yield
    except FrameworkError as error:
        raise FrameworkError(f"{checkpoint.path}, {name}: {error}") from error
    except Exception as error:  # a part may stumble over what is none of its states in any way
        problem = f"{type(error).__name__}: {error}"
        raise FrameworkError(f"{checkpoint.path}: the state of '{name}' does not fit this run: {problem}") from error


def _callbacks(loop: Loop) -> dict[str, Stateful]:
    """Every callback with a state, by its class; of several of one class, the later ones are numbered."""
    found: dict[str, Stateful] = {}
    for callback in loop.callbacks:
        if isinstance(callback, Stateful):
            kind = type(callback).__qualname__
            taken = sum(name.partition(" ")[0] == kind for name in found)
            found[f"{kind} {taken + 1}" if taken else kind] = callback
    return found
