"""Samplers that choose the transitions of a batch: uniformly, or each once in order of arrival."""

from __future__ import annotations

from collections import deque

import numpy as np
from jaxtyping import Float64, Int64

from framework.types import Counters, State


class UniformSampler:
    """Draws every active id with equal probability, none twice in a batch, in constant time at any capacity."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._ids = np.empty(0, np.int64)
        self._place = np.empty(0, np.int64)
        self._size = 0

    def allocate(self, capacity: int) -> None:
        self._ids = np.zeros(capacity, np.int64)
        self._place = np.full(capacity, -1, np.int64)

    def activate(self, ids: Int64[np.ndarray, " K"]) -> None:
        end = self._size + len(ids)
        self._ids[self._size : end] = ids
        self._place[ids % len(self._ids)] = np.arange(self._size, end)
        self._size = end

    def retire(self, ids: Int64[np.ndarray, " K"]) -> None:
        keys = ids % len(self._ids)
        places = self._place[keys]
        active = (places >= 0) & (self._ids[places] == ids)
        for key in keys[active]:
            # the last id moves into the gap, so that the active ids stay contiguous
            place = self._place[key]
            self._size -= 1
            moved = self._ids[self._size]
            self._ids[place] = moved
            self._place[moved % len(self._ids)] = place
            self._place[key] = -1

    def sample(self, n: int, counters: Counters) -> tuple[Int64[np.ndarray, " B"], Float64[np.ndarray, " B"]]:
        n = min(n, self._size)
        places = self._generator.choice(self._size, n, replace=False, shuffle=False)
        return self._ids[places], np.ones(n)

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None:
        """Uniform sampling has no priorities."""

    def __len__(self) -> int:
        return self._size

    def state_dict(self) -> State:
        return {"ids": self._ids[: self._size].copy(), "generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: State) -> None:
        self._place[:] = -1
        self._size = 0
        self.activate(state["ids"])
        self._generator.bit_generator.state = state["generator"]


class InOrderSampler:
    """Draws every id exactly once, oldest first: online learning, as in textbooks."""

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()

    def allocate(self, capacity: int) -> None:
        """This sampler needs no arrays."""

    def activate(self, ids: Int64[np.ndarray, " K"]) -> None:
        self._waiting.extend(ids.tolist())

    def retire(self, ids: Int64[np.ndarray, " K"]) -> None:
        gone = set(ids.tolist())
        if not gone.isdisjoint(self._waiting):
            self._waiting = deque(waiting for waiting in self._waiting if waiting not in gone)

    def sample(self, n: int, counters: Counters) -> tuple[Int64[np.ndarray, " B"], Float64[np.ndarray, " B"]]:
        n = min(n, len(self._waiting))
        return np.array([self._waiting.popleft() for _ in range(n)], np.int64), np.ones(n)

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None:
        """Sampling in order has no priorities."""

    def __len__(self) -> int:
        return len(self._waiting)

    def state_dict(self) -> State:
        return {"waiting": np.array(self._waiting, np.int64)}

    def load_state_dict(self, state: State) -> None:
        self._waiting = deque(state["waiting"].tolist())
