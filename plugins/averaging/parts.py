"""A policy that evaluates an average of its weights, and an optimiser that updates this average."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from framework.types import Batch, Described, Measured, Optimizer, State, Stateful, TDErrors
from plugins.dqn.agent import DQNPolicy
from plugins.dqn.networks import QNetwork
from plugins.dqn.weights import NetworkTensors, as_arrays, follow, load_arrays


class AveragedPolicy(DQNPolicy):
    """A policy that acts with averaged weights where it does not explore.

    `learner` is the policy that learns. This class passes on every attribute that it does not define to `learner`.
    """

    def __init__(self, learner: DQNPolicy, rate: float) -> None:
        # no networks of its own: those of the learner, by `__getattr__`
        self.learner = learner
        self._rate, self._updates = rate, 0
        self.average = copy.deepcopy(learner.target).eval()
        self._average_tensors, self._online_tensors = NetworkTensors(self.average), learner.online_tensors

    def __getattr__(self, name: str) -> Any:
        if name == "learner":  # a copy, before it has any attribute
            raise AttributeError(name)
        return getattr(self.learner, name)

    def action_values(self, obs: Shaped[np.ndarray, "N *obs"], explore: bool) -> Float[np.ndarray, "N A"]:
        if explore:
            return self.learner.action_values(obs, explore)
        return self.learner.values_of(self.average, obs)

    def return_distribution(
        self, obs: Shaped[np.ndarray, "N *obs"]
    ) -> tuple[Float[np.ndarray, "N A K"], Float[np.ndarray, "N A K"]] | None:
        return self.learner.distribution_of(self.average, obs)

    @property
    def evaluated(self) -> QNetwork:
        """The average."""
        return self.average

    def update_target(self, fraction: float) -> None:
        """Update the target network of `learner`."""
        self.learner.update_target(fraction)

    def update_average(self) -> None:
        """Move the average towards the online network. The optimiser calls this once after each update."""
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
        """Return the learner's manifest and the rate."""
        return {**self.learner.manifest(), "averaging": self._rate}


class AveragingOptimizer:
    """Makes a step of another optimiser, then updates the average."""

    def __init__(self, optimizer: Optimizer, policy: AveragedPolicy) -> None:
        self._optimizer, self._policy = optimizer, policy

    def apply(self, batch: Batch, errors: TDErrors) -> None:
        self._optimizer.apply(batch, errors)
        self._policy.update_average()

    def state_dict(self) -> State:
        """Return the other optimiser's state, or an empty state if it has none."""
        return self._optimizer.state_dict() if isinstance(self._optimizer, Stateful) else {}

    def load_state_dict(self, state: State) -> None:
        if isinstance(self._optimizer, Stateful):
            self._optimizer.load_state_dict(state)

    def manifest(self) -> Mapping[str, Any]:
        """What the other optimiser says of itself."""
        return self._optimizer.manifest() if isinstance(self._optimizer, Described) else {}

    def measures(self) -> Mapping[str, float]:
        """What the other optimiser measures."""
        return self._optimizer.measures() if isinstance(self._optimizer, Measured) else {}
