"""Cautious Q-learning: the value of the next state is a mixture of its best action value and the mean of all of them.

y = r + discount · [(1 − κ) · max_a' Q(s', a') + κ · mean_a' Q(s', a')], over the actions that the environment allows

κ = 0 is Q-learning. The loss is expected SARSA (Sutton & Barto 2018, eq. 6.9) for an agent that always acts at random,
uniformly, with probability κ, and greedily otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from framework.assembly.slots import Slots
from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.spaces import legal_actions, only_legal
from framework.types import Batch, Counters, Loss, Policy, TDErrors
from plugins.tabular import QTable, table_of, temporal_difference

CHECK_WITH = "tabular,chain"
"""The plugins that the command `check` adds, so that the composition is complete."""


class MyVariantOptions(Section, name="my_variant"):
    """How cautious the agent is."""

    caution: float = Field(0.1, ge=0, le=1, description="κ: the weight of the mean over all next action values")


class MyVariantLoss:
    """Computes the temporal-difference errors of a batch and changes nothing: the optimiser changes the table."""

    def __init__(self, policy: QTable, caution: float) -> None:
        self._policy, self._caution = policy, caution

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        values = self._policy.action_values(batch.next_obs, explore=False)
        legal = legal_actions(batch.next_obs)
        best = only_legal(values, batch.next_obs).max(axis=1)
        mean = values.mean(axis=1) if legal is None else np.average(values, axis=1, weights=legal)
        bootstrap = (1 - self._caution) * best + self._caution * mean
        return temporal_difference(self._policy, (self._policy.states(batch.obs), batch.action), batch, bootstrap)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_loss(policy: Policy, config: Config, slots: Slots) -> Loss:
    return MyVariantLoss(table_of(policy, slots), config[MyVariantOptions].caution)
