"""Checks of `sarsa` and `expected_sarsa`: which next action their targets use."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from framework.conformance.check import Cause, check, expect, require
from framework.conformance.subject import Subject
from plugins.tabular.rig import expected, family, of_next_action, target_is


@check(
    "loss",
    "make_loss",
    Cause("the target uses the best next action, as in Q-learning"),
    Cause("the target uses the action taken in s"),
)
def sarsa_looks_at_the_next_action(subject: Subject) -> None:
    """SARSA's target is return + discount · Q(s', a'), where a' is the action taken in s'."""
    target_is(subject, "sarsa", of_next_action)


@check(
    "loss",
    "make_loss",
    Cause("a truncated episode gets no bootstrap", "openai/baselines#436"),
    Cause("−1, which means no next action, is used as the index of the last action"),
)
def sarsa_expects_where_no_next_action_is_known(subject: Subject) -> None:
    """After a truncation there is no a': SARSA uses the expectation under the agent's action probabilities."""
    target_is(subject, "sarsa", expected, next_action=st.just(-1))


@check(
    "loss",
    "make_loss",
    Cause("the expectation uses greedy action probabilities, as in Q-learning"),
    Cause("the expectation uses the action probabilities in s, or those at the start of the run"),
)
def expected_sarsa_looks_at_how_the_agent_acts(subject: Subject) -> None:
    """Expected SARSA's target is return + discount · Σ π(a'|s') Q(s', a') with the current action probabilities π."""
    target_is(subject, "expected_sarsa", expected)


@check("returns", "make_returns", Cause("a transition is learnt before its next action is taken"))
def sarsa_waits_for_the_next_action(subject: Subject) -> None:
    """SARSA's windows are one step longer than the steps it uses, so that a complete window has the next action."""
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
