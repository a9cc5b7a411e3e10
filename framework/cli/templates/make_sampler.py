"""A sampler that prefers new transitions: a share of each batch comes from the newest ones, the rest from all.

A transition i has the probability P(i) = (1 − share) / N + [i is new] · share / newest. Its importance weight
w(i) = min P / P(i) corrects for the preference: on average, all transitions count equally. No weight is above 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.types import Counters, Sampler, State


class MyVariantOptions(Section, name="my_variant"):
    """Which transitions are preferred, and how much."""

    newest: int = Field(100, ge=1, description="number of transitions that count as new")
    share: float = Field(0.25, ge=0, lt=1, description="share of each batch that comes only from the new transitions")


class MyVariantSampler:
    """Samples with replacement. `_ids` contains the active ids, the newest last."""

    def __init__(self, options: MyVariantOptions, generator: np.random.Generator) -> None:
        self._options, self._generator = options, generator
        self._ids = np.empty(0, np.int64)

    def allocate(self, capacity: int) -> None:
        """Nothing to do: `_ids` grows when ids are activated."""

    def activate(self, ids: Int64[np.ndarray, " K"]) -> None:
        self._ids = np.concatenate([self._ids, ids])

    def retire(self, ids: Int64[np.ndarray, " K"]) -> None:
        self._ids = self._ids[~np.isin(self._ids, ids)]

    def sample(self, n: int, counters: Counters) -> tuple[Int64[np.ndarray, " B"], Float64[np.ndarray, " B"]]:
        """Draw n ids with replacement, newer ones more often, and the weights that correct for it."""
        count = len(self._ids)
        if not count:
            return np.empty(0, np.int64), np.empty(0)
        newest, share = min(self._options.newest, count), self._options.share
        of_all, of_new = self._generator.integers(count, size=n), self._generator.integers(newest, size=n)
        back = np.where(self._generator.random(n) < share, of_new, of_all)  # 0 is the newest transition
        old = (1 - share) / count
        new = old + share / newest
        smallest = old if count > newest else new
        return self._ids[count - 1 - back], np.where(back < newest, smallest / new, 1.0)

    def reprioritize(self, ids: Int64[np.ndarray, " B"], priorities: Float64[np.ndarray, " B"]) -> None:
        """Nothing to do: this sampler uses no priorities."""

    def __len__(self) -> int:
        return len(self._ids)

    def state_dict(self) -> State:
        return {"ids": self._ids.copy(), "generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: State) -> None:
        self._ids = np.array(state["ids"])
        self._generator.bit_generator.state = state["generator"]


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_sampler(config: Config, seeds: Seeds) -> Sampler:
    return MyVariantSampler(config[MyVariantOptions], seeds.generator("my_variant"))
