"""The check of `ucb`: it follows the paper's rule, with counts for each state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from gymnasium.spaces import Discrete

from framework.conformance.check import Cause, NotApplicable, check, require
from framework.conformance.fixtures.batches import A, N
from framework.conformance.fixtures.explorations import acting
from framework.conformance.subject import Subject
from framework.types import Counters

LONG = 600
"""Calls in one state: each action is chosen more often there than 8 bits with a sign can count."""


def _by_the_paper(values: Sequence[float], before: Sequence[int], confidence: float) -> int:
    """Return the action for these values; `before` are the actions chosen in the same state so far."""
    untried = [action for action in range(A) if action not in before]
    if untried:
        return untried[0]
    bounds = [
        values[action] + confidence * math.sqrt(math.log(len(before)) / before.count(action)) for action in range(A)
    ]
    # rounding may make equal bounds differ
    return next(action for action in range(A) if bounds[action] >= max(bounds) - 1e-9)


@check(
    "exploration",
    "make_exploration",
    Cause("visits are counted over all states together, or only after all environments of a step have acted"),
    Cause("the root, the logarithm or the count of the state is missing in the bound"),
)
def ucb_takes_the_highest_bound(subject: Subject) -> None:
    """In each state, untried actions come first, then the action of the largest Q(s, a) + c · √(ln N(s) / N(s, a))."""
    if subject.owner("make_exploration") != "ucb":
        raise NotApplicable("another plugin decorates ucb")
    rng = np.random.default_rng(subject.seed)
    builder = subject.builder()
    for confidence, envs, calls, seen in (*product((1.0, 0.0, 3.0), (1, N), (100,), (None,)), (1.0, 1, LONG, 1)):
        spaces = acting(subject, envs)
        assert isinstance(spaces.observation, Discrete)
        states = int(spaces.observation.n)
        exploration = builder.altered({"ucb.confidence": confidence}).exploration(spaces)
        chosen_in: list[list[int]] = [[] for _ in range(states)]
        for call in range(1, calls + 1):
            values, obs = rng.integers(-4, 5, (envs, A)) / 4, rng.integers(seen or states, size=envs)
            before = [chosen_in[state][-20:] for state in obs]
            chosen = exploration.choose(values, obs, Counters(env_steps=call * envs))
            wanted = []
            for row, state in zip(values.tolist(), obs, strict=True):
                wanted.append(_by_the_paper(row, chosen_in[state], confidence))
                chosen_in[state].append(wanted[-1])
            example = {"c": confidence, "call": call, "values": values, "states": obs, "chosen there last": before}
            require(chosen.tolist() == wanted, example=example, expected=wanted, got=chosen)
