"""Prioritised experience replay (Schaul et al. 2016) samples transitions with large temporal-difference
errors more often.

The probability of transition i is P(i) = p_i^α / Σ p^α with p_i = |δ_i| + ε (section 3.3). Its importance weight is
w_i = (N · P(i))^−β, divided by the largest weight *of the batch* (section 3.4); β grows to 1. A batch of one transition
keeps its w_i, which may be above 1: divided by itself it would be 1, whatever β is. (Divided by the largest weight of
the whole replay it would be near 0 as soon as one transition has no error left.) `tabular` caps α · w_i at 1. A new
transition gets the largest priority so far.

Paper → here (Schaul et al. 2016, section 4, proportional variant):

| option | paper | here | why |
| --- | --- | --- | --- |
| `per.alpha` | 0.6 | 0.5 | Rainbow's value (Hessel et al. 2018, table 1) |
| `per.beta` | 0.4 | 0.4 | |
| `per.beta_horizon` | the whole run | 100000 | the length of a run is not known here |
| `per.epsilon` | a small constant | 1e-06 | that of the first public implementation |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from framework.config import Config, Field, Section
from framework.conformance.check import Check, checks_in
from framework.defaults.schedules import linear
from framework.errors import FrameworkError
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.types import Counters, Sampler, State
from plugins.per.sumtree import SumTree


class PEROptions(Section, name="per", searched={"alpha": "uniform(0.2, 0.8)", "beta": "uniform(0.2, 1.0)"}):
    """How much priorities matter, and how much of their bias is corrected."""

    alpha: float = Field(0.5, ge=0, le=1, description="α, exponent of the priorities; 0 is uniform sampling")
    beta: float = Field(
        0.4, ge=0, le=1, description="β, exponent of the importance weights at the start; 1 corrects the bias fully"
    )
    beta_horizon: int = Field(100_000, ge=1, description="environment steps in which β grows to 1")
    epsilon: float = Field(1e-6, gt=0, description="ε, added to each priority, so that none is 0")


class Prioritized:
    """Samples ids in proportion to p^α, with replacement: one id from each of n equal shares of the sum."""

    def __init__(self, options: PEROptions, generator: np.random.Generator) -> None:
        self._options, self._generator = options, generator
        self._tree = SumTree(0)
        self._ids = np.empty(0, np.int64)
        self._size = 0
        self._largest = 1.0

    def allocate(self, capacity: int) -> None:
        self._tree = SumTree(capacity)
        self._ids = np.full(capacity, -1, np.int64)

    def activate(self, ids: Int64[np.ndarray, " K"]) -> None:
        leaves = ids % len(self._ids)
        self._ids[leaves] = ids
        self._tree[leaves] = self._largest
        self._size += len(ids)

    def retire(self, ids: Int64[np.ndarray, " K"]) -> None:
        leaves = (ids % len(self._ids))[self._active(ids)]
        if len(leaves):
            self._ids[leaves] = -1
            self._tree[leaves] = 0.0
            self._size -= len(leaves)

    def sample(self, n: int, counters: Counters) -> tuple[Int64[np.ndarray, " B"], Float64[np.ndarray, " B"]]:
        """Return n ids, which may repeat, and their importance weights; none if nothing is active."""
        if not self._size:
            return np.empty(0, np.int64), np.empty(0)
        shares = (np.arange(n) + self._generator.random(n)) / n
        leaves = self._tree.find(shares * self._tree.total)
        probability = self._tree[leaves] / self._tree.total
        beta = linear(self._options.beta, 1.0, self._options.beta_horizon, counters.env_steps)
        weights = (self._size * probability) ** -beta
        return self._ids[leaves], weights / weights.max() if n > 1 else weights

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None:
        """Set the priorities of the ids that are still active.

        Raises:
            FrameworkError: for a priority that is negative, NaN or infinite.
        """
        if not np.isfinite(priorities).all() or (priorities < 0).any():
            raise FrameworkError(f"priorities must be finite and at least 0, got {priorities.tolist()}")
        active = self._active(ids)
        if not active.any():
            return
        scaled = (priorities[active] + self._options.epsilon) ** self._options.alpha
        self._tree[ids[active] % len(self._ids)] = scaled
        self._largest = max(self._largest, float(scaled.max()))

    def __len__(self) -> int:
        return self._size

    def measures(self) -> Mapping[str, float]:
        """Return how many of the transitions count, (Σp)² / Σp² for their weights p = priority^α, as a share of all."""
        weights = self._tree[np.arange(len(self._ids))]
        return {"effective_share": self._tree.total**2 / float((weights**2).sum()) / self._size} if self._size else {}

    def state_dict(self) -> State:
        return {
            "ids": self._ids.copy(),
            "priorities": self._tree[np.arange(len(self._ids))],
            "largest": self._largest,
            "generator": self._generator.bit_generator.state,
        }

    def load_state_dict(self, state: State) -> None:
        self._ids[:] = state["ids"]
        self._tree[np.arange(len(self._ids))] = state["priorities"]
        self._size = int((self._ids >= 0).sum())
        self._largest = float(state["largest"])
        self._generator.bit_generator.state = state["generator"]

    def _active(self, ids: Int64[np.ndarray, " K"]) -> Bool[np.ndarray, " K"]:
        return (ids >= 0) & (self._ids[ids % len(self._ids)] == ids)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [PEROptions]


@hookimpl
def make_sampler(config: Config, seeds: Seeds) -> Sampler:
    return Prioritized(config[PEROptions], seeds.generator("per"))


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.per import checks

    return checks_in(checks)
