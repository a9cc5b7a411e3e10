"""Expected SARSA (van Seijen et al. 2009, eq. 5; Sutton & Barto 2018, eq. 6.9) bootstraps from the expected action
value of the next state.

y = r + γ · Σ_a π(a|s') Q(s', a), where π are the agent's action probabilities at the time of the update. With a greedy
π this is Q-learning. With `nstep` only the bootstrap is an expectation; the rewards are those of the actions taken.
"""

from __future__ import annotations

from collections.abc import Sequence

from framework.assembly.slots import Slots
from framework.conformance.check import Check, checks_in
from framework.hooks import hookimpl
from framework.types import Batch, Counters, Exploration, Loss, Policy, TDErrors
from plugins.tabular import QTable, expectation, expectation_terms, table_of, temporal_difference
from plugins.tabular.arithmetic import Term


class ExpectedSarsa:
    """The loss of expected SARSA (Sutton & Barto 2018, eq. 6.9): y = r + discount · Σ_a' π(a'|s') Q(s', a')."""

    def __init__(self, policy: QTable, exploration: Exploration) -> None:
        self._policy, self._exploration = policy, exploration

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        expected = expectation(self._policy, self._exploration, batch, counters)
        return temporal_difference(self._policy, (self._policy.states(batch.obs), batch.action), batch, expected)

    def bootstraps(self, batch: Batch, errors: TDErrors, counters: Counters) -> Sequence[Term]:
        """Return the terms for the plugin `explain`: see `plugins.tabular.arithmetic`."""
        return expectation_terms(self._policy, self._exploration, batch, counters)


@hookimpl
def make_loss(policy: Policy, exploration: Exploration, slots: Slots) -> Loss:
    return ExpectedSarsa(table_of(policy, slots), exploration)


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.sarsa import checks as sarsa_checks

    return checks_in(sarsa_checks)
