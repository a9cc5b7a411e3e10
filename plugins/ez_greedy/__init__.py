"""εz-greedy exploration (Dabney et al. 2021, algorithm 1): a random action is repeated for a random number of steps.

With probability ε an environment takes a random action, and repeats it for n steps in all, with P(n) ∝ n^−μ; otherwise
it takes the greedy action. So the agent tries long pushes, which single random actions hardly ever make. ε follows the
options of ε-greedy. What an environment repeats goes on into its next episode.

Paper → here (Dabney et al. 2021, section 4):

| option | paper | here | why |
| --- | --- | --- | --- |
| `ez_greedy.power` | 2 | 2.0 | |
| `ez_greedy.longest` | 10,000 | 100 | for episodes of a few hundred steps |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped

from framework.config import Config, Field, Section
from framework.conformance.check import Check, checks_in
from framework.defaults.exploration import epsilon_schedule
from framework.defaults.schedules import with_share
from framework.hooks import hookimpl
from framework.options import ExplorationOptions, RunOptions
from framework.seeding import Seeds
from framework.spaces import legal_actions, nth_legal, only_legal
from framework.types import Counters, Exploration, Spaces, State


class EzGreedyOptions(Section, name="ez_greedy", searched={"power": "uniform(1.5, 3.0)"}):
    """How long a random action is repeated."""

    power: float = Field(2.0, ge=0, description="μ: a random action is taken n times with P(n) ∝ n^−μ")
    longest: int = Field(100, ge=1, le=1_000_000, description="largest n; 1 is ε-greedy")


class EzGreedy:
    """Greedy, but for pushes: a random action and the number of steps for which an environment still repeats it."""

    def __init__(
        self,
        epsilon: Callable[[Counters], float],
        options: EzGreedyOptions,
        num_envs: int,
        generator: np.random.Generator,
    ) -> None:
        self._epsilon, self._generator = epsilon, generator
        weights = np.arange(1, options.longest + 1, dtype=np.float64) ** -options.power
        self._lengths: Float64[np.ndarray, " longest"] = weights.cumsum() / weights.sum()
        self._action, self._left = np.zeros(num_envs, np.int64), np.zeros(num_envs, np.int64)

    def choose(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Int64[np.ndarray, " N"]:
        """Return one action for each environment: the greedy one, or the one that the environment still repeats."""
        count, actions = values.shape
        # each environment takes three numbers at each step, so what one does changes nothing for the others
        explore, action, length = self._generator.random((3, count))
        legal = legal_actions(obs)
        if legal is not None:  # a push ends where its action is not allowed
            self._left[~legal[np.arange(count), self._action]] = 0
        begins = (self._left == 0) & (explore < self._epsilon(counters))
        rows = np.flatnonzero(begins)
        if legal is None:
            self._action[rows] = (action[rows] * actions).astype(np.int64)
        else:
            self._action[rows] = nth_legal(legal[rows], action[rows])
        self._left[rows] = 1 + np.searchsorted(self._lengths[:-1], length[rows], side="right")
        pushes = self._left > 0
        self._left[pushes] -= 1
        return np.where(pushes, self._action, only_legal(values, obs).argmax(axis=1))

    def probabilities(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Float64[np.ndarray, "N A"]:
        """The distribution that `choose` draws from: certain where an environment repeats an action.

        For another number of rows than environments, such as a batch's, it is that of ε-greedy.
        """
        epsilon = self._epsilon(counters)
        rows, actions = values.shape
        legal = legal_actions(obs)
        allowed = np.ones(values.shape, np.bool_) if legal is None else legal
        result = allowed * (epsilon / allowed.sum(axis=1, keepdims=True))
        result[np.arange(rows), only_legal(values, obs).argmax(axis=1)] += 1 - epsilon
        if rows == len(self._left):
            pushes = (self._left > 0) & allowed[np.arange(rows), self._action]
            result[pushes] = np.eye(actions)[self._action[pushes]]
        return result

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        return {"epsilon": self._epsilon(counters)}

    def state_dict(self) -> State:
        return {
            "generator": self._generator.bit_generator.state,
            "action": self._action.copy(),
            "left": self._left.copy(),
        }

    def load_state_dict(self, state: State) -> None:
        self._generator.bit_generator.state = state["generator"]
        self._action[...], self._left[...] = state["action"], state["left"]


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [EzGreedyOptions]


@hookimpl
def make_exploration(spaces: Spaces, config: Config, seeds: Seeds) -> Exploration:
    epsilon = epsilon_schedule(with_share(config[ExplorationOptions], config[RunOptions]))
    return EzGreedy(epsilon, config[EzGreedyOptions], spaces.num_envs, seeds.generator("ez_greedy"))


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.ez_greedy import checks

    return checks_in(checks)
