"""ε-greedy that never explores the best action, and draws lots where several are best.

With probability ε one of the *other* actions, else one of the best. All coins of a step are tossed before any lot is
drawn, and ε is halved every so many steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.types import Counters, Exploration, State

CHECK_WITH = "dqn,chain"


class FairOptions(Section, name="fair"):
    """How often it explores."""

    start: float = Field(0.8, ge=0, le=1, description="probability of an action that is not the best, at first")
    floor: float = Field(0.05, ge=0, le=1, description="the least such probability")
    half_life: int = Field(300, ge=1, description="environment steps after which it is half as large")


class FairTies:
    def __init__(self, options: FairOptions, generator: np.random.Generator) -> None:
        self.options, self.generator = options, generator

    def rate(self, counters: Counters) -> float:
        return max(self.options.floor, self.options.start * 0.5 ** (counters.env_steps / self.options.half_life))

    @staticmethod
    def _split(row: np.ndarray) -> tuple[list[int], list[int]]:
        """(the best actions, the others)"""
        highest = row.max()
        best = [action for action, value in enumerate(row) if value == highest]
        return best, [action for action in range(len(row)) if action not in best and row[action] > -np.inf]

    def choose(self, values: np.ndarray, obs: np.ndarray, counters: Counters) -> np.ndarray:
        coins = [self.generator.random() for _ in values]
        chosen = np.zeros(len(values), np.int64)
        for place in reversed(range(len(values))):
            best, others = self._split(values[place])
            among = others if others and coins[place] < self.rate(counters) else best
            chosen[place] = self.generator.choice(among)
        return chosen

    def probabilities(self, values: np.ndarray, obs: np.ndarray, counters: Counters) -> np.ndarray:
        result = np.zeros(values.shape)
        for row, line in zip(values, result, strict=True):
            best, others = self._split(row)
            rate = self.rate(counters) if others else 0.0
            line[best] = (1.0 - rate) / len(best)
            if others:
                line[others] = rate / len(others)
        return result

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        return {"explores": self.rate(counters)}

    def state_dict(self) -> State:
        state = self.generator.bit_generator.state
        return {"kind": state["bit_generator"], "rest": {key: state[key] for key in state if key != "bit_generator"}}

    def load_state_dict(self, state: State) -> None:
        self.generator.bit_generator.state = {"bit_generator": state["kind"], **state["rest"]}


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [FairOptions]


@hookimpl
def make_exploration(config: Config, seeds: Seeds) -> Exploration:
    return FairTies(config[FairOptions], seeds.generator("fair/exploration"))
