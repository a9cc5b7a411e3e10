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
from framework.spaces import only_legal
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
        """The distribution that `choose` draws from. An action that is not allowed has the probability 0."""
        epsilon = self._epsilon(counters)
        allowed = only_legal(values, obs)  # −∞ where the environment does not allow an action: ranks last
        rank = (-allowed).argsort(axis=1, kind="stable").argsort(axis=1)  # 0: the largest value, or the first of them
        others = np.where((rank > 0) & (allowed > -np.inf), self._decay ** rank.astype(np.float64), 0.0)
        total = others.sum(axis=1, keepdims=True)
        greedy = np.where(total > 0, 1 - epsilon, 1.0)  # the only action that is allowed has all of the probability
        return np.where(rank == 0, greedy, epsilon * others / np.where(total > 0, total, 1.0))

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
