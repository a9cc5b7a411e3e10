"""Softmax exploration whose temperature falls with the episodes: P(a) ∝ exp(Q(s, a) / T), T = T₀ / (1 + k · episodes).

Drawn by the Gumbel trick (the action of the largest Q / T + noise), so each step takes N · A random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.types import Counters, Exploration, State

CHECK_WITH = "dqn,chain"


class CoolingOptions(Section, name="cooling"):
    """How hot, and how soon it cools."""

    temperature: float = Field(1.0, gt=0, description="T₀, in units of the values")
    rate: float = Field(0.05, ge=0, description="k: the larger, the sooner it cools")


class Cooling:
    def __init__(self, options: CoolingOptions, generator: np.random.Generator) -> None:
        self.options, self.generator = options, generator

    def temperature(self, counters: Counters) -> float:
        return self.options.temperature / (1.0 + self.options.rate * counters.episodes)

    def choose(self, values: np.ndarray, obs: np.ndarray, counters: Counters) -> np.ndarray:
        temperature = self.temperature(counters)
        actions = []
        for row in values.astype(np.float64):
            noise = self.generator.gumbel(size=len(row))
            actions.append(int(np.argmax(row / temperature + noise)))
        return np.array(actions, np.int64)

    def probabilities(self, values: np.ndarray, obs: np.ndarray, counters: Counters) -> np.ndarray:
        temperature = self.temperature(counters)
        result = np.zeros(values.shape, np.float64)
        for row, each in enumerate(values.tolist()):
            highest = max(each)
            mass = [math.exp((value - highest) / temperature) for value in each]
            for action, share in enumerate(mass):
                result[row, action] = share / math.fsum(mass)
        return result

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        return {"temperature": self.temperature(counters)}

    def state_dict(self) -> State:
        return {"pcg": {"state": self.generator.bit_generator.state}}

    def load_state_dict(self, state: State) -> None:
        self.generator.bit_generator.state = state["pcg"]["state"]


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [CoolingOptions]


@hookimpl
def make_exploration(config: Config, seeds: Seeds) -> Exploration:
    return Cooling(config[CoolingOptions], seeds.generator("cooling"))
