"""Cautious Q-learning: the next state is worth a mixture of its best action and of the mean over all of them.

y = r + discount · [(1 − κ) · max_a' Q(s', a') + κ · mean_a' Q(s', a')]; κ = 0 is Q-learning. It is expected SARSA
(Sutton & Barto 2018, eq. 6.9) for a policy that explores with probability κ for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from framework.assembly.slots import Slots
from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.types import Batch, Counters, Loss, Policy, TDErrors
from plugins.tabular import QTable, table_of, temporal_difference

CHECK_WITH = "tabular,chain"
"""What the command `check` adds to this plugin."""


class MyVariantOptions(Section, name="my_variant"):
    """How cautious."""

    caution: float = Field(0.1, ge=0, le=1, description="κ: the weight of the mean over all next actions")


class MyVariantLoss:
    """Moves nothing: it says which cells of the table should move, and towards what."""

    def __init__(self, policy: QTable, caution: float) -> None:
        self._policy, self._caution = policy, caution

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        values = self._policy.table[batch.next_obs]
        bootstrap = (1 - self._caution) * values.max(axis=1) + self._caution * values.mean(axis=1)
        return temporal_difference(self._policy, (batch.obs, batch.action), batch, bootstrap)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_loss(policy: Policy, config: Config, slots: Slots) -> Loss:
    return MyVariantLoss(table_of(policy, slots), config[MyVariantOptions].caution)
