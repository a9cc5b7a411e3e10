"""SARSA (Rummery & Niranjan 1994; Sutton & Barto 2018, eq. 6.7): y = r + γ · Q(s', a'), with a' the action taken in s'.

The agent learns a transition as soon as its next action is known. That is one step later than in Q-learning, and before
the agent chooses the action after that. A truncated episode has no next action: the target then bootstraps from the
expectation under the agent's action probabilities. With `nstep` it is n-step SARSA (section 7.2).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from framework.assembly.slots import Slots
from framework.conformance.check import Check, checks_in
from framework.hooks import hookimpl
from framework.types import Batch, Counters, Exploration, Loss, Policy, Returns, TDErrors
from plugins.tabular import QTable, expectation, expectation_terms, table_of, temporal_difference
from plugins.tabular.arithmetic import Term


class Sarsa:
    """The loss of SARSA (Sutton & Barto 2018, eq. 6.7): y = r + discount · Q(s', a'), with a' the action taken.

    Where a' is unknown (−1), at a truncation, the expectation over the exploration takes its place.
    """

    def __init__(self, policy: QTable, exploration: Exploration) -> None:
        self._policy, self._exploration = policy, exploration

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        bootstrap = self._policy.table[self._policy.states(batch.next_obs), batch.next_action]
        unknown = batch.next_action < 0
        if (unknown & (batch.discount != 0)).any():
            expected = expectation(self._policy, self._exploration, batch, counters)
            bootstrap = np.where(unknown, expected, bootstrap)
        return temporal_difference(self._policy, (self._policy.states(batch.obs), batch.action), batch, bootstrap)

    def bootstraps(self, batch: Batch, errors: TDErrors, counters: Counters) -> Sequence[Term]:
        """Return the terms for the plugin `explain`: see `plugins.tabular.arithmetic`."""
        following = self._policy.states(batch.next_obs).tolist()
        expected = expectation_terms(self._policy, self._exploration, batch, counters)
        return [
            unknown
            if action < 0
            else Term((float(self._policy.table[state, action]),), (), "{} was the action taken next", (action,))
            for state, action, unknown in zip(following, batch.next_action.tolist(), expected, strict=True)
        ]


class NextActionReturns:
    """Decorates returns: each window is one step longer, and that step holds the next action."""

    def __init__(self, returns: Returns) -> None:
        self._returns = returns
        self.horizon = returns.horizon + 1

    def fold(
        self,
        reward: Float64[np.ndarray, "B n"],
        terminated: Bool[np.ndarray, "B n"],
        truncated: Bool[np.ndarray, "B n"],
    ) -> tuple[Float64[np.ndarray, " B"], Float64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
        return self._returns.fold(reward[:, :-1], terminated[:, :-1], truncated[:, :-1])


@hookimpl(wrapper=True)
def make_returns() -> Generator[None, Returns, Returns]:
    returns = yield
    return NextActionReturns(returns)


@hookimpl
def make_loss(policy: Policy, exploration: Exploration, slots: Slots) -> Loss:
    return Sarsa(table_of(policy, slots), exploration)


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.sarsa import checks as sarsa_checks

    return checks_in(sarsa_checks)
