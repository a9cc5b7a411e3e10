"""Transitions seen in a mirror: each is worth two, where the environment is its own mirror image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from framework.config import Config
from framework.options import ReplayOptions
from framework.replay.lanes import FrameReplay
from framework.seeding import Seeds
from framework.types import Batch, Buffer, Counters, Mirror, Spaces, State, Step


def mirrored(replay: FrameReplay, spaces: Spaces, config: Config, seeds: Seeds) -> Buffer:
    """The replay; where the environment declares a mirror and `replay.mirror` is on, one that shows it."""
    if spaces.mirror is None or not config[ReplayOptions].mirror:
        return replay
    return Mirrored(replay, spaces.mirror, seeds.generator("mirror"))


class Mirrored:
    """A replay of which each row of a batch is shown in the mirror with probability 1/2.

    Observations are turned round along the mirror's axis, and actions exchanged; rewards, discounts, weights and ids
    stay. Nothing is stored twice.
    """

    def __init__(self, buffer: FrameReplay, mirror: Mirror, generator: np.random.Generator) -> None:
        self._buffer, self._axis, self._generator = buffer, mirror.axis, generator
        # an action of −1, which is none, finds itself at the end
        self._actions = np.array([*mirror.actions, -1], np.int64)

    def add(self, step: Step) -> None:
        self._buffer.add(step)

    def sample(self, n: int, counters: Counters) -> Batch:
        """As the replay samples, then mirrored; what is read late is mirrored in the same rows."""
        batch = self._buffer.sample(n, counters)
        rows = np.flatnonzero(self._generator.random(len(batch)) < 0.5)
        return replace(
            batch,
            obs=self._turned(batch.obs, rows),
            action=self._exchanged(batch.action, rows),
            read_next_obs=lambda: self._turned(batch.next_obs, rows),
            read_next_action=lambda: self._exchanged(batch.next_action, rows),
        )

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None:
        self._buffer.reprioritize(ids, priorities)

    def __len__(self) -> int:
        return len(self._buffer)

    def state_dict(self) -> State:
        return {
            "buffer": self._buffer.state_dict(),
            "generator": self._generator.bit_generator.state,
        }

    def load_state_dict(self, state: State) -> None:
        self._buffer.load_state_dict(state["buffer"])
        self._generator.bit_generator.state = state["generator"]

    def cut(self) -> tuple[State, Mapping[str, Callable[[], State]]]:
        """The segments are the replay's own; see `framework.types.Segmented`."""
        state, segments = self._buffer.cut()
        return {"buffer": state, "generator": self._generator.bit_generator.state}, segments

    def join(self, state: State, segments: Iterable[State]) -> None:
        """Load what `cut` gave."""
        self._buffer.join(state["buffer"], segments)
        self._generator.bit_generator.state = state["generator"]

    def manifest(self) -> Mapping[str, Any]:
        """The buffer's own, and that it is mirrored."""
        return {**self._buffer.manifest(), "mirrored": True}

    def _turned(self, obs: Shaped[np.ndarray, "B *obs"], rows: Int64[np.ndarray, " M"]) -> Shaped[np.ndarray, "B *obs"]:
        obs[rows] = np.flip(obs[rows], self._axis)
        return obs

    def _exchanged(self, actions: Int64[np.ndarray, " B"], rows: Int64[np.ndarray, " M"]) -> Int64[np.ndarray, " B"]:
        actions[rows] = self._actions[actions[rows]]
        return actions
