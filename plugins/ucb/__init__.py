"""In each state, the agent takes the action of the largest upper confidence bound (UCB1: Auer et al. 2002, fig. 1;
Sutton & Barto 2018, eq. 2.10).

argmax_a Q(s, a) + c · √(ln N(s) / N(s, a)), where N(s, a) counts how often a was chosen in s and N(s) = Σ_a N(s, a);
actions that were never chosen in s come first. If several actions are equal, the agent takes the first.

Paper → here (Auer et al. 2002, figure 1):

| option | paper | here | why |
| --- | --- | --- | --- |
| `ucb.confidence` | √2, for rewards in [0, 1] | 1.0 | values here have other units |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped

from framework.config import Config, Field, Section
from framework.conformance.check import Check
from framework.hooks import hookimpl
from framework.processes.limits import require_memory
from framework.spaces import States, legal_actions
from framework.types import Counters, Exploration, Spaces, State


class UCBOptions(Section, name="ucb", searched={"confidence": "log(0.1, 10.0)"}):
    """How much the agent explores."""

    confidence: float = Field(
        1.0, ge=0, description="c, in units of value: the weight of the bound; √2 is UCB1 for values in [0, 1]"
    )


class UCB:
    """Chooses actions by their counts, without random numbers. Each environment's choice counts for those after it.

    So environments that are in the same state at the same time can try different actions.
    """

    def __init__(self, states: States | int, actions: int, confidence: float) -> None:
        states = states if isinstance(states, States) else States(states)
        needed = states.count * actions * 8
        require_memory(needed, f"a table of counts of {states.count:,} states", "use an environment with fewer states")
        self._states = states
        self._counts = np.zeros((states.count, actions), np.int64)
        self._confidence = confidence

    def choose(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Int64[np.ndarray, " N"]:
        return self._choose(values, obs, self._counts)

    def probabilities(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Float64[np.ndarray, "N A"]:
        """Return 1 for the actions that `choose` would take, else 0. Does not change the counts."""
        chosen = self._choose(values, obs, self._counts.copy())
        result = np.zeros(values.shape)
        result[np.arange(len(chosen)), chosen] = 1.0
        return result

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        return {}

    def state_dict(self) -> State:
        return {"counts": self._counts.copy()}

    def load_state_dict(self, state: State) -> None:
        self._counts[...] = state["counts"]

    def _choose(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counts: Int64[np.ndarray, "S A"]
    ) -> Int64[np.ndarray, " N"]:
        """Return the action of each row, and add it to `counts` before the next row."""
        chosen = np.empty(len(values), np.int64)
        legal = legal_actions(obs)
        everything = np.arange(values.shape[1])
        for row, state in enumerate(self._states(obs)):
            actions = everything if legal is None else np.flatnonzero(legal[row])
            tried = counts[state, actions]
            if tried.all():
                bound = self._confidence * np.sqrt(np.log(tried.sum()) / tried)
                chosen[row] = actions[(values[row, actions] + bound).argmax()]
            else:
                chosen[row] = actions[tried.argmin()]
            counts[state, chosen[row]] += 1
        return chosen


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [UCBOptions]


@hookimpl
def make_exploration(spaces: Spaces, config: Config) -> Exploration:
    return UCB(States(spaces.observation), spaces.num_actions, config[UCBOptions].confidence)


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.ucb.checks import ucb_takes_the_highest_bound

    return [ucb_takes_the_highest_bound]
