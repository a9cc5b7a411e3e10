"""Tries, before a run begins, whether its environments repeat an episode: otherwise it cannot continue exactly."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np

from framework.assembly.parts import Parts
from framework.errors import NotRepeated
from framework.options import CheckpointOptions
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

    def attempt() -> None:
        with suppress(Exception):
            if not _repeats(parts):
                found.append(WARNING)

    with _global_random_state_kept():
        thread = threading.Thread(target=attempt, name="trial of the environment", daemon=True)
        thread.start()
        thread.join(3 * SECONDS)
    return found[0] if found else None


def _repeats(parts: Parts) -> bool:
    rng, begun = np.random.default_rng(0), time.monotonic()
    played = parts.builder.stream("train", 1, "repeatable", in_processes=False)
    try:
        for _ in range(STEPS):
            legal = legal_actions(played.observations)
            choice = np.arange(parts.spaces.num_actions) if legal is None else np.flatnonzero(legal[0])
            played.begin(rng.choice(choice, size=1))
            played.finish()
            if time.monotonic() - begun > SECONDS:
                break
        state = played.state_dict()
    finally:
        played.close()
    again = parts.builder.stream("train", 1, "repeatable", in_processes=False)
    try:
        again.load_state_dict(state)
    except NotRepeated:
        return False
    finally:
        again.close()
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
