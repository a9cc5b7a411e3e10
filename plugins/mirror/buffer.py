"""A buffer that shows some rows of each batch in the mirror."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from framework.types import Batch, Buffer, Counters, Described, Mirror, Segmented, State, Stateful, Step


class MirroredBuffer:
    """Shows each row of a batch of another buffer in the mirror with probability 1/2.

    The mirror turns observations round along its axis and exchanges actions. Rewards, discounts, weights and ids stay.
    """

    def __init__(self, buffer: Buffer, mirror: Mirror, generator: np.random.Generator) -> None:
        self._buffer, self._axis, self._generator = buffer, mirror.axis, generator
        # the last entry maps −1, "no action", to itself
        self._actions = np.array([*mirror.actions, -1], np.int64)

    def add(self, step: Step) -> None:
        self._buffer.add(step)

    def sample(self, n: int, counters: Counters) -> Batch:
        """A batch of the other buffer with some rows mirrored. The successors are mirrored in the same rows."""
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
        """The other buffer's state, where it has one, and the generator's."""
        inner = self._buffer.state_dict() if isinstance(self._buffer, Stateful) else {}
        return {"buffer": inner, **self._own_state()}

    def load_state_dict(self, state: State) -> None:
        if isinstance(self._buffer, Stateful):
            self._buffer.load_state_dict(state["buffer"])
        self._load_own_state(state)

    def manifest(self) -> Mapping[str, Any]:
        """What the other buffer says of itself, and that it is mirrored."""
        inner = self._buffer.manifest() if isinstance(self._buffer, Described) else {}
        return {**inner, "mirrored": True}

    def _own_state(self) -> State:
        return {"generator": self._generator.bit_generator.state}

    def _load_own_state(self, state: State) -> None:
        self._generator.bit_generator.state = state["generator"]

    def _turned(self, obs: Shaped[np.ndarray, "B *obs"], rows: Int64[np.ndarray, " M"]) -> Shaped[np.ndarray, "B *obs"]:
        turned = obs.copy()  # the array may be the other buffer's own
        turned[rows] = np.flip(obs[rows], self._axis)
        return turned

    def _exchanged(self, actions: Int64[np.ndarray, " B"], rows: Int64[np.ndarray, " M"]) -> Int64[np.ndarray, " B"]:
        exchanged = actions.copy()
        exchanged[rows] = self._actions[actions[rows]]
        return exchanged


class SegmentedMirroredBuffer(MirroredBuffer):
    """The same over a buffer whose checkpoints are written in segments: see `framework.types.Segmented`."""

    def cut(self) -> tuple[State, Mapping[str, Callable[[], State]]]:
        """The segments are the other buffer's own."""
        state, segments = cast(Segmented, self._buffer).cut()
        return {"buffer": state, **self._own_state()}, segments

    def join(self, state: State, segments: Iterable[State]) -> None:
        """Load what `cut` gave."""
        cast(Segmented, self._buffer).join(state["buffer"], segments)
        self._load_own_state(state)
