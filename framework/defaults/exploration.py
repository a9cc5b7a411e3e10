"""ε-greedy exploration, and the schedule of its ε."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped

from framework.defaults.schedules import exponential, linear
from framework.options import ExplorationOptions
from framework.spaces import legal_actions, nth_legal, only_legal
from framework.types import Counters, State


def epsilon_schedule(options: ExplorationOptions) -> Callable[[Counters], float]:
    """ε as a pure function of the run's counters."""
    shape = {"linear": linear, "exponential": exponential}[options.shape]
    return lambda counters: shape(options.start, options.final, options.horizon, counters[options.unit])


class EpsilonGreedy:
    """With u ~ U(0, 1): a uniformly random action if u < ε, else the (first) action with the largest value.

    Each environment takes exactly one random number. If u < ε, u / ε is uniform, too, and it chooses the random action.
    Where the environment gives masks, both are among the allowed actions.
    """

    def __init__(self, epsilon: Callable[[Counters], float], generator: np.random.Generator) -> None:
        self._epsilon = epsilon
        self._generator = generator

    def choose(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Int64[np.ndarray, " N"]:
        """Return one action for each environment."""
        epsilon = self._epsilon(counters)
        legal = legal_actions(obs)
        count, actions = values.shape
        draws = np.asarray(self._generator.random(count))
        chosen = only_legal(values, obs).argmax(axis=1)
        random = draws < epsilon
        if legal is None:
            chosen[random] = np.minimum(draws[random] / epsilon * actions, actions - 1).astype(np.int64)
        else:
            chosen[random] = nth_legal(legal[random], draws[random] / epsilon)
        return chosen

    def probabilities(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Float64[np.ndarray, "N A"]:
        epsilon = self._epsilon(counters)
        legal = legal_actions(obs)
        allowed = np.ones(values.shape, np.bool_) if legal is None else legal
        result = allowed * (epsilon / allowed.sum(axis=1, keepdims=True))
        result[np.arange(len(values)), only_legal(values, obs).argmax(axis=1)] += 1 - epsilon
        return result

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        return {"epsilon": self._epsilon(counters)}

    def state_dict(self) -> State:
        return {"generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: State) -> None:
        self._generator.bit_generator.state = state["generator"]
