"""Plays random episodes before a run begins: what is wrong with its environments should show before the first step."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
from gymnasium.vector import AutoresetMode

from framework.assembly.parts import Parts
from framework.environments.stream import TransitionStream
from framework.errors import NotRepeated, UsageError
from framework.options import CheckpointOptions, RunOptions
from framework.spaces import legal_actions
from framework.types import Stateful

STEPS = 300
"""The most steps that are tried."""

SECONDS = 1.0
"""The longest time for these steps, and again for their repetition: an environment may be slow, or hang."""

WARNING = (
    "warning: the environment does not repeat an episode from its seed and its actions, so this run cannot continue "
    "exactly: --resume will refuse it, and --resume --force begin new episodes"
)


def warning_of(parts: Parts) -> str | None:
    """A warning if checkpoints of this run could not be continued exactly.

    Random actions are played in one environment, and the running episode then in another, as a resumed run does. A
    dependence on earlier episodes that does not show within `STEPS` is not found. An environment that raises or hangs
    does so in the run, too, where it is named.
    """
    stream = parts.stream
    if not parts.config[CheckpointOptions].every or not stream.restorable or isinstance(stream.env, Stateful):
        return None
    found: list[str] = []

    def attempt(over: threading.Event) -> None:
        with suppress(Exception):
            if not _repeats(parts, over):
                found.append(WARNING)

    _try(attempt)
    return found[0] if found else None


def refuse_false_ends(parts: Parts) -> None:
    """Refuse environments that reset themselves and do not end an episode as they declare.

    Random actions are played in environments like the run's. Others end their episodes by the engine's own resets.

    Raises:
        UsageError: what the engine refuses there, such as an episode without its last observation.
    """
    if parts.stream.mode is AutoresetMode.DISABLED:
        return
    refused: list[UsageError] = []

    def attempt(over: threading.Event) -> None:
        with suppress(Exception):
            try:
                with _opened(parts, parts.config[RunOptions].num_envs) as stream:
                    _play(stream, parts.spaces.num_actions, over)
            except UsageError as error:
                refused.append(error)

    _try(attempt)
    if refused:
        raise refused[0]


def _try(attempt: Callable[[threading.Event], None]) -> None:
    """Call it with an event that is set when its time is over. It should do nothing more then."""
    over = threading.Event()
    with _global_random_state_kept():
        thread = threading.Thread(target=attempt, args=[over], name="trial of the environment", daemon=True)
        thread.start()
        thread.join(3 * SECONDS)
        over.set()


@contextmanager
def _opened(parts: Parts, num_envs: int = 1) -> Iterator[TransitionStream]:
    stream = parts.builder.stream("train", num_envs, "trial", in_processes=False)
    try:
        yield stream
    finally:
        stream.close()


def _play(stream: TransitionStream, num_actions: int, over: threading.Event) -> None:
    rng, begun = np.random.default_rng(0), time.monotonic()
    for _ in range(STEPS):
        observations = stream.observations
        legal = legal_actions(observations)
        if legal is None:
            legal = np.ones((len(observations), num_actions), np.bool_)
        stream.begin(np.array([rng.choice(np.flatnonzero(allowed)) for allowed in legal]))
        stream.finish()
        if over.is_set() or time.monotonic() - begun > SECONDS:
            break


def _repeats(parts: Parts, over: threading.Event) -> bool:
    with _opened(parts) as stream:
        _play(stream, parts.spaces.num_actions, over)
        state = stream.state_dict()
    if over.is_set():
        return True
    with _opened(parts) as again:
        try:
            again.load_state_dict(state)
        except NotRepeated:
            return False
    return True


@contextmanager
def _global_random_state_kept() -> Iterator[None]:
    """Restore the global random states at the end: an environment may draw from them, and the run must not notice."""
    torch = sys.modules.get("torch")
    states = random.getstate(), np.random.get_state(), torch and torch.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        if torch:
            torch.set_rng_state(states[2])
