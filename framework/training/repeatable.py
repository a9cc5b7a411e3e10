"""Tries, before a run begins, whether its environments repeat an episode: otherwise it cannot continue exactly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from framework.assembly.parts import Parts
from framework.errors import NotRepeated
from framework.options import CheckpointOptions
from framework.spaces import legal_actions
from framework.types import Stateful

STEPS = 300
"""The most steps that are tried."""

SECONDS = 1.0
"""The longest time that is spent on them: an environment may be slow."""

WARNING = (
    "warning: the environment does not repeat an episode from its seed and its actions, so this run cannot continue "
    "exactly: --resume will refuse it, and --resume --force begin new episodes"
)


def warning_of(parts: Parts) -> str | None:
    """A warning if checkpoints of this run could not be continued exactly.

    Random actions are played in one environment, and the running episode then in another, as a resumed run does. A
    dependence on earlier episodes that does not show within `STEPS` is not found.
    """
    stream = parts.stream
    if not parts.config[CheckpointOptions].every or not stream.restorable or isinstance(stream.env, Stateful):
        return None
    rng, begun = np.random.default_rng(0), time.monotonic()
    with _stream(parts) as played:
        for _ in range(STEPS):
            legal = legal_actions(played.observations)
            choice = np.arange(parts.spaces.num_actions) if legal is None else np.flatnonzero(legal[0])
            played.begin(rng.choice(choice, size=1))
            played.finish()
            if time.monotonic() - begun > SECONDS:
                break
        state = played.state_dict()
    with _stream(parts) as again:
        try:
            again.load_state_dict(state)
        except NotRepeated:
            return WARNING
    return None


@contextmanager
def _stream(parts: Parts) -> Iterator[Any]:
    """One more environment, in the place of the run's own, so that an error or a hang names the environment's plugin."""
    own = parts.stream
    parts.stream = parts.builder.stream("train", 1, "repeatable")
    try:
        yield parts.stream
    finally:
        parts.stream.close()
        parts.stream = own
