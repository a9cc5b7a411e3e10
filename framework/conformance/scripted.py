"""Parts that stand beside the one under test: slow, obviously right, and attentive."""

from __future__ import annotations

import numpy as np

from framework.types import Counters, State

GAMMA = 0.5
"""A power of two, so that sums of whole numbers are exact."""


class PlainReturns:
    """The n-step return with γ = 1/2, step by step."""

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon

    def fold(
        self, reward: np.ndarray, terminated: np.ndarray, truncated: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = len(reward)
        returns, discount, length = np.zeros(rows), np.ones(rows), np.zeros(rows, np.int64)
        for row in range(rows):
            for column in range(self.horizon):
                returns[row] += discount[row] * reward[row, column]
                discount[row] *= GAMMA
                length[row] += 1
                if terminated[row, column]:
                    discount[row] = 0.0
                if terminated[row, column] or truncated[row, column]:
                    break
        return returns, discount, length


def weight_of(ids: np.ndarray) -> np.ndarray:
    """A weight that tells which id it belongs to."""
    return 1.0 / (1.0 + ids)


class RecordingSampler:
    """Draws the active ids that it is told to, or all of them, the newest first, and writes down what it hears."""

    def __init__(self) -> None:
        self.capacity = 0
        self.active: list[int] = []
        self.priorities: list[tuple[int, float]] = []
        self.broken: list[str] = []
        """What the buffer did that a buffer may not do."""
        self.wanted: list[int] | None = None
        self.given: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        """The ids and weights of each draw, and copies of them."""
        self._ever: set[int] = set()

    def allocate(self, capacity: int) -> None:
        if self.capacity:
            self.broken.append("allocate was called twice")
        self.capacity = capacity

    def activate(self, ids: np.ndarray) -> None:
        if not self.capacity:
            self.broken.append("activate was called before allocate")
        for id_ in ids.tolist():
            if id_ in self._ever:
                self.broken.append(f"id {id_} was activated twice")
            rival = next((other for other in self.active if (other - id_) % max(1, self.capacity) == 0), None)
            if rival is not None:
                self.broken.append(f"ids {rival} and {id_} are active, the same modulo the capacity {self.capacity}")
            self._ever.add(id_)
            self.active.append(id_)

    def retire(self, ids: np.ndarray) -> None:
        gone = set(ids.tolist())
        self.active = [id_ for id_ in self.active if id_ not in gone]

    def sample(self, n: int, counters: Counters) -> tuple[np.ndarray, np.ndarray]:
        drawn = self.active[::-1] if self.wanted is None else self.wanted
        ids = np.array(drawn[:n], np.int64)
        weights = weight_of(ids)
        self.given.append((ids, weights, ids.copy(), weights.copy()))
        return ids, weights

    def reprioritize(self, ids: np.ndarray, priorities: np.ndarray) -> None:
        self.priorities += zip(ids.tolist(), priorities.tolist(), strict=True)

    def __len__(self) -> int:
        return len(self.active)


class Indifferent:
    """A policy to which everything is worth nothing, for buffers that ask one."""

    def __init__(self, actions: int) -> None:
        self._actions = actions

    def action_values(self, obs: np.ndarray, explore: bool) -> np.ndarray:
        return np.zeros((len(obs), self._actions), np.float32)

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        """There is nothing to restore."""
