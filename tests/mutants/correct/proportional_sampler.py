"""Proportional prioritised replay without replacement: the n smallest exponential clocks, of rates p^α.

The first of the clocks to ring is i with probability p_i^α / Σ p^α (Efraimidis & Spirakis 2006), so a batch holds no
transition twice, and gives fewer rows than asked for while there are fewer. Arrays double when they are too short.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.types import Counters, Sampler, State

CHECK_WITH = "dqn,chain"


class ClocksOptions(Section, name="clocks"):
    """How much the priorities matter, and how far their bias is corrected."""

    alpha: float = Field(0.6, ge=0, description="exponent of the priorities; 0 is uniform")
    beta: float = Field(1.0, ge=0, le=1, description="exponent of the importance weights")
    floor: float = Field(1e-3, gt=0, description="the least priority")


class Clocks:
    """The active ids in arrays, unsorted, and the room behind them."""

    def __init__(self, options: ClocksOptions, generator: np.random.Generator) -> None:
        self._options, self._generator = options, generator
        self._ids = np.zeros(1, np.int64)
        self._rates = np.zeros(1, np.float64)
        self._used = 0

    def allocate(self, capacity: int) -> None:
        """Nothing: room is made when it is needed."""

    def activate(self, ids: np.ndarray) -> None:
        top = self._rates[: self._used].max(initial=1.0)
        if self._used + len(ids) > len(self._ids):
            more = self._used + len(ids)
            self._ids = np.concatenate([self._ids, np.zeros(more, np.int64)])
            self._rates = np.concatenate([self._rates, np.zeros(more, np.float64)])
        fresh = slice(self._used, self._used + len(ids))
        self._ids[fresh], self._rates[fresh] = ids, top
        self._used += len(ids)

    def retire(self, ids: np.ndarray) -> None:
        stay = ~np.isin(self._ids[: self._used], ids)
        left = int(stay.sum())
        self._ids[:left] = self._ids[: self._used][stay]
        self._rates[:left] = self._rates[: self._used][stay]
        self._used = left

    def sample(self, n: int, counters: Counters) -> tuple[np.ndarray, np.ndarray]:
        rates = self._rates[: self._used]
        rings = self._generator.exponential(size=self._used) / rates
        first = np.argsort(rings)[:n]
        if not len(first):
            return np.empty(0, np.int64), np.empty(0, np.float64)
        weights = (rates.min() / rates[first]) ** self._options.beta
        return self._ids[first], weights

    def reprioritize(self, ids: np.ndarray, priorities: np.ndarray) -> None:
        bad = ~np.isfinite(priorities)
        if bad.any():
            raise ValueError(f"priorities that are no numbers, for {ids[bad].tolist()}")
        for number, priority in zip(ids, priorities, strict=True):
            self._rates[: self._used][self._ids[: self._used] == number] = self._rate(float(priority))

    def _rate(self, priority: float) -> float:
        return float(max(abs(priority), self._options.floor) ** self._options.alpha)

    def __len__(self) -> int:
        return self._used

    def state_dict(self) -> State:
        return {
            "active": {"ids": self._ids[: self._used].copy(), "rates": self._rates[: self._used].copy()},
            "generator": self._generator.bit_generator.state,
        }

    def load_state_dict(self, state: State) -> None:
        self._ids, self._rates = state["active"]["ids"].copy(), state["active"]["rates"].copy()
        self._used = len(self._ids)
        self._generator.bit_generator.state = state["generator"]


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [ClocksOptions]


@hookimpl
def make_sampler(config: Config, seeds: Seeds) -> Sampler:
    return Clocks(config[ClocksOptions], seeds.generator("clocks"))
