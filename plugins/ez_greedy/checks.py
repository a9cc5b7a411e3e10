"""The check of `ez_greedy`: how long a random action is repeated."""

from __future__ import annotations

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import A
from framework.conformance.fixtures.explorations import acting, fixed
from framework.conformance.subject import Subject

PUSHES, LONGEST = 4_000, 3
VALUES = {"exploration.start": 1.0, "exploration.final": 1.0, "ez_greedy.longest": LONGEST}


# each share is more than five standard errors from the limit: the probability of a false alarm is below 1e-5
@check(
    "exploration",
    "make_exploration",
    Cause("the first step of a repeated action is not counted, so it is repeated once too often"),
    Cause("the exponent has the wrong sign, so that long repetitions are likely"),
    false_alarm=1e-5,
)
def ez_greedy_repeats_a_random_action_by_its_law(subject: Subject) -> None:
    """A random action is taken n times in a row with probability ∝ n^−μ, n up to ez_greedy.longest; then it ends."""
    if subject.owner("make_exploration") != "ez_greedy":
        raise NotApplicable("another plugin decorates ez_greedy")
    for power in (0.0, 1.0, 2.0):
        exploration = subject.builder({**VALUES, "ez_greedy.power": power}).exploration(acting(subject, 1))
        lengths: list[int] = []
        action = 0
        for case in fixed(subject, np.zeros((1, A)), PUSHES):
            certain = float(exploration.probabilities(*case).max()) == 1.0
            chosen = int(exploration.choose(*case)[0])
            example: dict[str, object] = {"μ": power, "call": sum(lengths) + 1}
            if certain:
                require(chosen == action, example=example, expected=f"action {action} again", got=chosen)
                lengths[-1] += 1
            else:
                lengths.append(1)
            action = chosen
        counts = np.bincount(lengths, minlength=LONGEST + 1)[1:]
        require(len(counts) == LONGEST, example={"μ": power}, expected=f"at most {LONGEST} steps", got=len(counts))
        wanted = np.arange(1, LONGEST + 1) ** -power
        example = {"μ": power, "compared": "the shares of the lengths 1, 2 and 3"}
        expect(counts / len(lengths), wanted / wanted.sum(), example=example, atol=0.06)
