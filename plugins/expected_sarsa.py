"""Expected SARSA (van Seijen et al. 2009, eq. 5; Sutton & Barto 2018, eq. 6.9) bootstraps from the expected action
value of the next state.

y = r + γ · Σ_a π(a|s') Q(s', a), where π are the agent's action probabilities at the time of the update. With a greedy
π this is Q-learning. With `nstep` only the bootstrap is an expectation; the rewards are those of the actions taken.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from framework.assembly.slots import Slots
from framework.conformance.check import Check, checks_in
from framework.hooks import hookimpl
from framework.types import Batch, Counters, Exploration, Loss, Policy, TDErrors
from plugins.tabular import QTable, table_of, temporal_difference


def expectation(
    policy: QTable, exploration: Exploration, batch: Batch, counters: Counters
) -> Float64[np.ndarray, " B"]:
    """Return Σ_a π(a|s') Q(s', a) for each transition."""
    values = policy.action_values(batch.next_obs, explore=True)
    return (exploration.probabilities(values, batch.next_obs, counters) * values).sum(axis=1)


class ExpectedSarsa:
    def __init__(self, policy: QTable, exploration: Exploration) -> None:
        self._policy, self._exploration = policy, exploration

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        expected = expectation(self._policy, self._exploration, batch, counters)
        return temporal_difference(self._policy, (batch.obs, batch.action), batch, expected)


@hookimpl
def make_loss(policy: Policy, exploration: Exploration, slots: Slots) -> Loss:
    return ExpectedSarsa(table_of(policy, slots), exploration)


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.sarsa import checks as sarsa_checks

    return checks_in(sarsa_checks)
