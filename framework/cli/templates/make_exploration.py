"""ε-greedy exploration that prefers better actions.

The agent takes the greedy action with probability 1 − ε. Otherwise it takes one of the other actions: the k-th best of
them with a probability in proportion to d^k. With d = 1, all of them are equally likely. ε follows the engine's section
`exploration`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped

from framework.config import Config, Field, Section
from framework.defaults.exploration import epsilon_schedule
from framework.hooks import hookimpl
from framework.options import ExplorationOptions
from framework.seeding import Seeds
from framework.types import Counters, Exploration, State


class MyVariantOptions(Section, name="my_variant"):
    """How much better actions are preferred."""

    decay: float = Field(0.5, gt=0, le=1, description="d: each other action is d times as likely as the next better")


class MyVariantExploration:
    """`choose` draws from `probabilities`, with one random number for each environment."""

    def __init__(self, epsilon: Callable[[Counters], float], decay: float, generator: np.random.Generator) -> None:
        self._epsilon, self._decay, self._generator = epsilon, decay, generator

    def probabilities(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Float64[np.ndarray, "N A"]:
        epsilon, actions = self._epsilon(counters), values.shape[1]
        if actions == 1:
            return np.ones(values.shape)
        rank = (-values).argsort(axis=1, kind="stable").argsort(axis=1)  # 0: the largest value, or the first of them
        others = self._decay ** np.arange(1, actions)
        return np.concatenate([[1 - epsilon], epsilon * others / others.sum()])[rank]

    def choose(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Int64[np.ndarray, " N"]:
        cumulative = self.probabilities(values, obs, counters).cumsum(axis=1)
        draws = self._generator.random(len(values))
        # divide by the last column: it is then exactly 1 and above every draw
        return (cumulative / cumulative[:, -1:] > draws[:, None]).argmax(axis=1)

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        return {"epsilon": self._epsilon(counters)}

    def state_dict(self) -> State:
        return {"generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: State) -> None:
        self._generator.bit_generator.state = state["generator"]


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_exploration(config: Config, seeds: Seeds) -> Exploration:
    epsilon = epsilon_schedule(config[ExplorationOptions])
    return MyVariantExploration(epsilon, config[MyVariantOptions].decay, seeds.generator("my_variant"))
