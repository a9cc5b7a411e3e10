"""Checks of what `sarsa` and `expected_sarsa` promise: which next action their targets look at."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from framework.conformance.check import Cause, check, expect, require
from framework.conformance.subject import Subject
from plugins.tabular.rig import expected, family, of_next_action, target_is


@check("loss", "make_loss", Cause("the next action is the best one: Q-learning"), Cause("it is the action taken in s"))
def sarsa_looks_at_the_next_action(subject: Subject) -> None:
    """SARSA's target is return + discount · Q(s', a') with the action that was taken in s'."""
    target_is(subject, "sarsa", of_next_action)


@check(
    "loss",
    "make_loss",
    Cause("a truncated episode is not bootstrapped", "openai/baselines#436"),
    Cause("−1 indexes the last action"),
)
def sarsa_expects_where_no_next_action_is_known(subject: Subject) -> None:
    """Where an episode was truncated there is no a': SARSA bootstraps from the expectation under how the agent acts."""
    target_is(subject, "sarsa", expected, next_action=st.just(-1))


@check(
    "loss",
    "make_loss",
    Cause("the expectation is under the greedy policy: Q-learning"),
    Cause("it is under how the agent acted in s, or at the start of the run"),
)
def expected_sarsa_looks_at_how_the_agent_acts(subject: Subject) -> None:
    """Expected SARSA's target is return + discount · Σ π(a'|s') Q(s', a') with π as the exploration acts now."""
    target_is(subject, "expected_sarsa", expected)


@check("returns", "make_returns", Cause("a transition is learnt before its next action is taken"))
def sarsa_waits_for_the_next_action(subject: Subject) -> None:
    """SARSA's windows are one step longer than what they fold, so that the next action is known when they are whole."""
    family(subject, "sarsa")
    returns = subject.builder().returns()
    n = returns.horizon
    ends = np.zeros((2, n), np.bool_)
    reward = np.ones((2, n))
    reward[1, -1] = 100.0
    folded, discount, length = returns.fold(reward, ends, ends)
    require(bool((length < n).all()), example={"horizon": n}, expected=f"at most {n - 1} steps are used", got=length)
    example = {"horizon": n, "rewards": reward, "compared": "returns: the last column is not used"}
    expect(folded[1], folded[0], example=example)
    expect(discount[1], discount[0], example=example)
