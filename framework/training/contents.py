"""The whole state of a run: gathered from its parts, and loaded into them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from framework.assembly.parts import Parts
from framework.checkpoints.folder import Checkpoint
from framework.errors import FrameworkError, NotRepeated, UsageError
from framework.training.loop import Loop
from framework.types import Buffer, Segmented, State, Stateful


def gather(loop: Loop) -> tuple[State, Mapping[str, Callable[[], State]]]:
    """The state of the run without its segments, and segment name → function that reads the segment.

    Call it only when no step, update or evaluation is running.
    """
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


def restored_buffer(buffer: Buffer, checkpoint: Checkpoint) -> Buffer:
    """Load only the buffer of a checkpoint, into a new buffer, and return it.

    Raises:
        UsageError: if the state does not fit; the message names the file and what does not fit.
    """
    state = checkpoint.state()
    if "buffer" in state.get("parts", {}) and isinstance(buffer, Stateful):
        with _fitting(checkpoint, "buffer"):
            _load(buffer, "buffer", state, checkpoint)
    return buffer


def _load(member: Stateful, name: str, state: State, checkpoint: Checkpoint, group: str = "parts") -> None:
    if isinstance(member, Segmented):
        member.join(state[group][name], checkpoint.segments(state["segments"][name]))
    else:
        member.load_state_dict(state[group][name])


def restore(loop: Loop, checkpoint: Checkpoint, *, new_episodes: bool = False) -> bool:
    """Load a checkpoint into a loop that has not run yet. Return whether new episodes had to begin.

    Args:
        new_episodes: begin new episodes if the environments do not repeat those that were running.

    Raises:
        UsageError: if the state does not fit this run; the message names the file and what does not fit.
    """
    state = checkpoint.state()
    groups: dict[str, Mapping[str, Stateful]] = {"parts": loop.parts.stateful(), "callbacks": _callbacks(loop)}
    for group, members in groups.items():
        saved = set(state.get(group, ()))
        if saved != set(members):
            odd = ", ".join(sorted(saved ^ set(members)))
            raise UsageError(f"{checkpoint.path}: its {group} are not those of this run: {odd}")
    anew = False
    for group, members in groups.items():
        for name, member in members.items():
            with _fitting(checkpoint, name):
                if member is loop.parts.stream and new_episodes:
                    anew = _restored_or_begun_anew(loop.parts, state[group][name])
                else:
                    _load(member, name, state, checkpoint, group)
    with _fitting(checkpoint, "loop"):
        loop.load_state_dict(state["loop"])
    if anew:
        loop.forget_running_episodes()
    return anew


def _restored_or_begun_anew(parts: Parts, state: State) -> bool:
    try:
        parts.stream.load_state_dict(state)
    except NotRepeated:
        parts.stream.begin_anew(state)
        return True
    return False


@contextmanager
def _fitting(checkpoint: Checkpoint, name: str) -> Iterator[None]:
    try:
        yield
    except FrameworkError as error:
        raise UsageError(f"{checkpoint.path}, {name}: {error}") from error
    except Exception as error:  # a part may raise anything when it loads a state that is not its own
        problem = f"{type(error).__name__}: {error}"
        raise UsageError(f"{checkpoint.path}: the state of '{name}' does not fit this run: {problem}") from error


def _callbacks(loop: Loop) -> dict[str, Stateful]:
    """Every callback with a state, by the name of its class. A second one of a class is called "Name 2", and so on."""
    found: dict[str, Stateful] = {}
    for callback in loop.callbacks:
        if isinstance(callback, Stateful):
            kind = type(callback).__qualname__
            taken = sum(name.partition(" ")[0] == kind for name in found)
            found[f"{kind} {taken + 1}" if taken else kind] = callback
    return found
