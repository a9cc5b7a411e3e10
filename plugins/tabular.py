"""Tabular Q-learning (Watkins 1989; Sutton & Barto 2018, section 6.5).

Q(s, a) ← Q(s, a) + α · [r + γ · max_a' Q(s', a') − Q(s, a)], one transition at a time, in the order in
which they happen, before the next action is chosen. With α = 1 it is an assignment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from jaxtyping import Float64, Int64

from framework.config import Config, Field, Section
from framework.errors import UnsupportedSpace, UsageError
from framework.hookspecs import hookimpl
from framework.options import LearningOptions
from framework.pacing import NoSync, ReplayRatio
from framework.replay.samplers import InOrderSampler
from framework.types import (
    Batch,
    Cadence,
    Counters,
    Errors,
    Loss,
    Optimizer,
    Policy,
    Sampler,
    Spaces,
    State,
    TargetSync,
)


class TabularOptions(Section, name="tabular"):
    """The Q-table and its update."""

    learning_rate: float = Field(1.0, gt=0, le=1, description="α: the share of the new target in each update")
    initial: float = Field(0.0, description="every entry of the table at the start")


class QTable:
    """Q-values of every state and action: `table`, float64 [S, A]."""

    def __init__(self, states: int, actions: int, initial: float) -> None:
        self.table: Float64[np.ndarray, "S A"] = np.full((states, actions), initial, np.float64)

    def action_values(self, obs: Int64[np.ndarray, " N"], explore: bool) -> Float64[np.ndarray, "N A"]:
        return self.table[obs]

    def state_dict(self) -> State:
        return {"table": self.table.copy()}

    def load_state_dict(self, state: State) -> None:
        """Restore the table.

        Raises:
            UsageError: if it is of another size.
        """
        table = state.get("table")
        if not isinstance(table, np.ndarray) or table.shape != self.table.shape:
            raise UsageError(
                f"the weights are no table of {self.table.shape[0]} states and {self.table.shape[1]} actions"
            )
        self.table[...] = table


class QLearning:
    """δ = r + discount · max_a' Q(s', a') − Q(s, a): its square is the loss, |δ| the priority, y the update."""

    def __init__(self, policy: QTable) -> None:
        self._policy = policy

    def __call__(self, batch: Batch, counters: Counters) -> Errors:
        best = self._policy.table[batch.next_obs].max(axis=1)
        # where nothing is bootstrapped, not even a NaN may come through
        target = batch.reward + np.where(batch.discount == 0, 0.0, batch.discount * best)
        error = target - self._policy.table[batch.obs, batch.action]
        return Errors(loss=error**2, priority=np.abs(error), update=target)


class Assignment:
    """Q(s, a) ← (1 − α w) · Q(s, a) + α w · target, row by row; w is the row's importance weight."""

    def __init__(self, policy: QTable, learning_rate: float) -> None:
        self._policy, self._learning_rate = policy, learning_rate

    def apply(self, batch: Batch, errors: Errors) -> None:
        table = self._policy.table
        rates = self._learning_rate * batch.weights
        for state, action, rate, target in zip(batch.obs, batch.action, rates, errors.update, strict=True):
            table[state, action] = (1 - rate) * table[state, action] + rate * target


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [TabularOptions]


@hookimpl
def recommended_values() -> Mapping[str, Any]:
    return {"learning.batch_size": 1, "learning.starts": 0, "learning.updates_per_step": 1.0}


@hookimpl(trylast=True)
def make_policy(spaces: Spaces, config: Config) -> Policy:
    if not isinstance(spaces.observation, Discrete):
        raise UnsupportedSpace("Discrete observations")
    return QTable(int(spaces.observation.n), spaces.num_actions, config[TabularOptions].initial)


@hookimpl(trylast=True)
def make_sampler() -> Sampler:
    return InOrderSampler()


@hookimpl(trylast=True)
def make_loss(policy: QTable) -> Loss:
    return QLearning(policy)


@hookimpl(trylast=True)
def make_optimizer(policy: QTable, config: Config) -> Optimizer:
    return Assignment(policy, config[TabularOptions].learning_rate)


@hookimpl(trylast=True)
def make_target_sync() -> TargetSync:
    return NoSync()


@hookimpl(trylast=True)
def make_cadence(config: Config) -> Cadence:
    options = config[LearningOptions]
    return ReplayRatio(options.batch_size, options.starts, options.updates_per_step, overlap=False)
