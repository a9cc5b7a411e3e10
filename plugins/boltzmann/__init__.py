"""Boltzmann exploration (Sutton & Barto 2018, eq. 2.11, of values): π(a|s) = exp(Q(s, a)/τ) / Σ_b exp(Q(s, b)/τ).

The temperature τ is in units of value. With τ near 0 the agent is greedy: actions of the same largest value are equally
likely. With a large τ all actions are equally likely.

Paper → here (Sutton & Barto 2018, eq. 2.11):

| option | paper | here | why |
| --- | --- | --- | --- |
| `boltzmann.temperature` | 1 (preferences have no unit) | 0.1 | in units of value: rewards here are about 1 |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped

from framework.config import Config, Field, Section
from framework.conformance.check import Check
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.spaces import only_legal
from framework.types import Counters, Exploration, State


class BoltzmannOptions(Section, name="boltzmann", searched={"temperature": "log(0.01, 1.0)"}):
    """How greedily the agent acts."""

    temperature: float = Field(
        0.1, gt=0, description="τ, in units of value: near 0 is greedy, large is uniform over the actions"
    )


class Boltzmann:
    """Draws u ~ U(0, 1) for each environment and takes the first action whose cumulative probability exceeds u."""

    def __init__(self, temperature: float, generator: np.random.Generator) -> None:
        self._temperature = temperature
        self._generator = generator

    def choose(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Int64[np.ndarray, " N"]:
        cumulative = self.probabilities(values, obs, counters).cumsum(axis=1)
        # the last entry is now exactly 1, above every draw; an action of probability 0 is never the first above one
        cumulative /= cumulative[:, -1:]
        draws = self._generator.random(len(values))
        return (cumulative > draws[:, None]).argmax(axis=1)

    def probabilities(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Float64[np.ndarray, "N A"]:
        exact = only_legal(values, obs).astype(np.float64)
        with np.errstate(over="ignore"):  # an overflow to −∞ is correct: its weight is 0
            weights = np.exp((exact - exact.max(axis=1, keepdims=True)) / self._temperature)
        return weights / weights.sum(axis=1, keepdims=True)

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        return {"temperature": self._temperature}

    def state_dict(self) -> State:
        return {"generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: State) -> None:
        self._generator.bit_generator.state = state["generator"]


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [BoltzmannOptions]


@hookimpl
def make_exploration(config: Config, seeds: Seeds) -> Exploration:
    return Boltzmann(config[BoltzmannOptions].temperature, seeds.generator("boltzmann"))


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.boltzmann.checks import boltzmann_weighs_actions_by_their_values

    return [boltzmann_weighs_actions_by_their_values]
