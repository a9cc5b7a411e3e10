"""Rank-based prioritised replay (Schaul et al. 2016, section 3.3): P(i) ∝ 1 / rank(i)^α, the ranks by priority.

A dictionary is sorted anew for each batch and a plain cumulative sum is searched. A transition that was never learnt
ranks first, the newest before older ones. Weights are divided by the largest of all that could be sampled.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.types import Counters, Sampler, State

CHECK_WITH = "dqn,chain"


class RankedOptions(Section, name="ranked"):
    """How much the ranks matter, and how far their bias is corrected."""

    alpha: float = Field(0.7, ge=0, description="exponent of the ranks; 0 is uniform")
    beta: float = Field(0.5, ge=0, le=1, description="exponent of the importance weights")


class Ranked:
    def __init__(self, alpha: float, beta: float, generator: np.random.Generator) -> None:
        self.alpha, self.beta, self.generator = alpha, beta, generator
        self.priority: dict[int, float] = {}

    def allocate(self, capacity: int) -> None:
        self.priority = {}

    def activate(self, ids: np.ndarray) -> None:
        for number in ids.tolist():
            self.priority[number] = math.inf

    def retire(self, ids: np.ndarray) -> None:
        for number in ids.tolist():
            self.priority.pop(number, None)

    def sample(self, n: int, counters: Counters) -> tuple[np.ndarray, np.ndarray]:
        if not self.priority:
            return np.zeros(0, np.int64), np.zeros(0)
        ranked = sorted(self.priority, key=lambda number: (-self.priority[number], -number))
        share = [rank**-self.alpha for rank in range(1, len(ranked) + 1)]
        cumulative = list(accumulate(share))
        # the least likely one, which ranks last, has the largest weight
        chosen, weights = [], []
        for _ in range(n):
            place = min(bisect_right(cumulative, self.generator.uniform(0.0, cumulative[-1])), len(ranked) - 1)
            chosen.append(ranked[place])
            weights.append((share[-1] / share[place]) ** self.beta)
        return np.array(chosen, np.int64), np.array(weights, np.float64)

    def reprioritize(self, ids: np.ndarray, priorities: np.ndarray) -> None:
        for number, priority in zip(ids.tolist(), priorities.tolist(), strict=True):
            if number in self.priority and math.isfinite(priority):
                self.priority[number] = priority

    def __len__(self) -> int:
        return len(self.priority)

    def state_dict(self) -> State:
        learnt = [(number, priority) for number, priority in self.priority.items() if priority < math.inf]
        return {
            "fresh": np.array([number for number, priority in self.priority.items() if priority == math.inf], np.int64),
            "learnt": {
                "numbers": np.array([number for number, _ in learnt], np.int64),
                "priorities": np.array([priority for _, priority in learnt], np.float64),
            },
            "random": dict(self.generator.bit_generator.state),
        }

    def load_state_dict(self, state: State) -> None:
        learnt = state["learnt"]
        self.priority = dict(zip(learnt["numbers"].tolist(), learnt["priorities"].tolist(), strict=True))
        self.priority.update(dict.fromkeys(state["fresh"].tolist(), math.inf))
        self.generator.bit_generator.state = state["random"]


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [RankedOptions]


@hookimpl
def make_sampler(config: Config, seeds: Seeds) -> Sampler:
    options = config[RankedOptions]
    return Ranked(options.alpha, options.beta, seeds.generator("ranked"))
