"""A buffer that mirrors some rows of each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from framework.types import (
    Batch,
    Browsable,
    Buffer,
    Counters,
    Described,
    Measured,
    Mirror,
    Segmented,
    State,
    Stateful,
    Step,
)


class MirroredBuffer:
    """Mirrors each row of another buffer's batches with probability 1/2.

    The mirror reverses observations along its axis and replaces actions. Rewards, discounts, weights and ids stay
    the same.
    """

    def __init__(self, buffer: Buffer, mirror: Mirror, generator: np.random.Generator) -> None:
        self._buffer, self._axis, self._generator = buffer, mirror.axis, generator
        # the last entry maps −1, "no action", to itself
        self._actions = np.array([*mirror.actions, -1], np.int64)

    def add(self, step: Step) -> None:
        self._buffer.add(step)

    def sample(self, n: int, counters: Counters) -> Batch:
        """Return a batch of the other buffer. In a mirrored row, both observations and both actions are mirrored."""
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

    def ids(self) -> Int64[np.ndarray, " K"]:
        """Return the other buffer's ids; none if it cannot be read without its sampler."""
        return self._buffer.ids() if isinstance(self._buffer, Browsable) else np.empty(0, np.int64)

    def read(self, ids: Int64[np.ndarray, " B"]) -> Batch:
        """Return these transitions as they happened, not mirrored."""
        return cast(Browsable, self._buffer).read(ids)

    def state_dict(self) -> State:
        """Return the other buffer's state, if it has one, and the random generator's."""
        inner = self._buffer.state_dict() if isinstance(self._buffer, Stateful) else {}
        return {"buffer": inner, **self._own_state()}

    def load_state_dict(self, state: State) -> None:
        if isinstance(self._buffer, Stateful):
            self._buffer.load_state_dict(state["buffer"])
        self._load_own_state(state)

    def manifest(self) -> Mapping[str, Any]:
        """Return the other buffer's manifest, and that batches are mirrored."""
        inner = self._buffer.manifest() if isinstance(self._buffer, Described) else {}
        return {**inner, "mirrored": True}

    def measures(self) -> Mapping[str, float]:
        """Return what the other buffer measures."""
        return self._buffer.measures() if isinstance(self._buffer, Measured) else {}

    def _own_state(self) -> State:
        return {"generator": self._generator.bit_generator.state}

    def _load_own_state(self, state: State) -> None:
        self._generator.bit_generator.state = state["generator"]

    def _turned(self, obs: Shaped[np.ndarray, "B *obs"], rows: Int64[np.ndarray, " M"]) -> Shaped[np.ndarray, "B *obs"]:
        turned = obs.copy()  # the array may belong to the other buffer
        turned[rows] = np.flip(obs[rows], self._axis)
        return turned

    def _exchanged(self, actions: Int64[np.ndarray, " B"], rows: Int64[np.ndarray, " M"]) -> Int64[np.ndarray, " B"]:
        exchanged = actions.copy()
        exchanged[rows] = self._actions[actions[rows]]
        return exchanged


class SegmentedMirroredBuffer(MirroredBuffer):
    """The same for a buffer that a checkpoint stores in segments: see `framework.types.Segmented`."""

    def cut(self) -> tuple[State, Mapping[str, Callable[[], State]]]:
        """Return the state and the segments. The segments are the other buffer's."""
        state, segments = cast(Segmented, self._buffer).cut()
        return {"buffer": state, **self._own_state()}, segments

    def join(self, state: State, segments: Iterable[State]) -> None:
        """Load what `cut` returned."""
        cast(Segmented, self._buffer).join(state["buffer"], segments)
        self._load_own_state(state)
