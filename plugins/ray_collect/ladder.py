"""The exploration of Ape-X: ε-greedy with an ε of its own for each actor (Horgan et al. 2018, section 4)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from framework.defaults.exploration import EpsilonGreedy
from framework.types import Counters


def epsilon(base: float, alpha: float, actor: int, actors: int) -> float:
    """ε_i = ε^(1 + i / (N − 1) · α) of actor i of N, counted from 0; ε if there is one actor."""
    return float(base ** (1 + (actor / (actors - 1) if actors > 1 else 0.0) * alpha))


class Ladder(EpsilonGreedy):
    """ε-greedy with the ε of one actor. The learner itself has none to report."""

    def __init__(self, base: float, alpha: float, generator: np.random.Generator) -> None:
        super().__init__(lambda counters: self.epsilon, generator)
        self._base, self._alpha = base, alpha
        self.epsilon = base

    def take_place(self, actor: int, actors: int) -> None:
        """Explore with the ε of this actor from now on."""
        self.epsilon = epsilon(self._base, self._alpha, actor, actors)

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        """Nothing: each actor has another ε."""
        return {}
