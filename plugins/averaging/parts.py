"""A policy that plays with an average of its weights, and an optimiser after whose steps the average follows."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from framework.types import Batch, Optimizer, State, Stateful, TDErrors
from plugins.dqn.agent import DQNPolicy
from plugins.dqn.weights import NetworkTensors, as_arrays, follow, load_arrays


class AveragedPolicy:
    """`learner` is the policy that learns. Everything that this class does not define is the learner's own."""

    def __init__(self, learner: DQNPolicy, rate: float) -> None:
        self.learner = learner
        self._rate, self._updates = rate, 0
        self.average = copy.deepcopy(learner.target).eval()
        self._average_tensors, self._online_tensors = NetworkTensors(self.average), NetworkTensors(learner.online)

    def __getattr__(self, name: str) -> Any:
        if name == "learner":  # a copy that has no attributes yet
            raise AttributeError(name)
        return getattr(self.learner, name)

    def action_values(self, obs: Shaped[np.ndarray, "N *obs"], explore: bool) -> Float[np.ndarray, "N A"]:
        if explore:
            return self.learner.action_values(obs, explore)
        return self.learner.values_of(self.average, obs)

    def update_target(self, fraction: float) -> None:
        """As the learner does."""
        self.learner.update_target(fraction)

    def update_average(self) -> None:
        """Let the average follow the online network. Called once after each update."""
        self._updates += 1
        follow(self._average_tensors(), self._online_tensors(), max(self._rate, 1 / self._updates))

    def state_dict(self) -> State:
        average = {"average": as_arrays(self.average), "averaged": self._updates}
        return {**self.learner.state_dict(), **average}

    def load_state_dict(self, state: State) -> None:
        """Restore the networks. An average that was not saved becomes a copy of the online network.

        Raises:
            UsageError: if the weights belong to another network.
        """
        self.learner.load_state_dict(state)
        load_arrays(self.average, state.get("average", state["online"]))
        self._updates = int(state.get("averaged", 0))

    def manifest(self) -> Mapping[str, Any]:
        """What the learner says of itself, and the rate."""
        return {**self.learner.manifest(), "averaging": self._rate}


class AveragingOptimizer:
    """Makes another optimiser's step, and then lets the average follow."""

    def __init__(self, optimizer: Optimizer, policy: AveragedPolicy) -> None:
        self._optimizer, self._policy = optimizer, policy

    def apply(self, batch: Batch, errors: TDErrors) -> None:
        self._optimizer.apply(batch, errors)
        self._policy.update_average()

    def state_dict(self) -> State:
        """The other optimiser's state; nothing if it has none."""
        return self._optimizer.state_dict() if isinstance(self._optimizer, Stateful) else {}

    def load_state_dict(self, state: State) -> None:
        if isinstance(self._optimizer, Stateful):
            self._optimizer.load_state_dict(state)
