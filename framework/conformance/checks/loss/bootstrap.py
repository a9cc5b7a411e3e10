"""Checks of the loss: what it takes from the successor, and how the discount limits it."""

from __future__ import annotations

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import B
from framework.conformance.fixtures.learners import (
    FLOAT32,
    Learner,
    LearnerFactory,
    bootstrapping,
    expect_same,
    targeted,
)
from framework.conformance.subject import Subject
from framework.types import TDErrors


def _differ(one: TDErrors, other: TDErrors) -> bool:
    """Whether the losses differ by more than rounding in some row."""
    return not np.allclose(one.loss, other.loss, rtol=1e-6, atol=1e-7)


@check(
    "loss",
    "make_loss",
    Cause("NaN · (1 − terminated) is NaN", "anthonytorlucci/rlevo#192"),
    Cause("the mask depends on the value of the successor, not on the discount"),
)
def nothing_behind_a_discount_of_zero_matters(subject: Subject) -> None:
    """If the discount is 0, the loss does not depend on the successor, even if that is NaN."""
    made = LearnerFactory.of(subject)
    zero = np.zeros(B)
    wanted = made.trained().errors(made.batch(discount=zero))
    for example, given in (
        ("other successors", {"next_obs": made.observations(B, key=1)}),
        ("no next action (−1)", {"next_action": np.full(B, -1)}),
    ):
        got = made.trained().errors(made.batch(discount=zero, **given))
        expect_same(got, wanted, f"discounts of 0, {example}", **FLOAT32)
    space = made.spaces.observation
    if np.dtype(space.dtype or np.int64).kind == "f":
        nowhere = np.full_like(made.observations(B), np.nan)
        got = made.trained().errors(made.batch(discount=zero, next_obs=nowhere))
        expect_same(got, wanted, "discounts of 0, successors of NaN", **FLOAT32)


@check(
    "loss",
    "make_loss",
    Cause("the target network gets s instead of s'", "google-research/recsim#26"),
    Cause("a truncated episode is not bootstrapped", "keras-rl/keras-rl#298"),
)
def a_discount_above_zero_bootstraps_from_the_successor(subject: Subject) -> None:
    """If the discount is above 0, the loss depends on the successor, even if no next action is known."""
    made = bootstrapping(subject)
    for example, next_action in (
        ("next actions known", None),
        ("no next action (−1), as at a truncation", np.full(B, -1)),
    ):
        one, other = (
            made.trained().errors(made.batch(next_obs=made.observations(B, key=key), next_action=next_action))
            for key in (1, 2)
        )
        case = f"discounts of 0.9, {example}; two sets of successors"
        require(_differ(one, other), example=case, expected="two sets of losses", got=f"the same twice: {one.loss}")


@check(
    "loss",
    "make_loss",
    Cause("γ never reaches the loss", "mlaux1/rl-blox#79"),
    Cause("γ's exponent is computed from the ends: γ⁰ = 1", "takuseno/d3rlpy#346"),
)
def the_discount_of_the_batch_is_the_one_used(subject: Subject) -> None:
    """The loss uses the discounts γ^k of the batch: discounts of 0, 0.3 and 0.9 give three different losses."""
    made = bootstrapping(subject)
    given = (0.0, 0.3, 0.9)
    found = [made.trained().errors(made.batch(discount=np.full(B, discount))) for discount in given]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        example = {"discounts": (given[one], given[other])}
        got = f"the same twice: {found[one].loss}"
        require(_differ(found[one], found[other]), example=example, expected="two sets of losses", got=got)


@check(
    "loss",
    "make_loss",
    Cause("the loss uses a power of the discount, or applies the option γ again", "younggyoseo/FastTD3#6"),
    Cause("γ's exponent is computed from the ends: γ⁰ = 1", "takuseno/d3rlpy#346"),
)
def the_error_is_linear_in_the_discount(subject: Subject) -> None:
    """If the priority is |y − Q(s, a)|, y is linear in the discount: twice the discount adds twice the bootstrap."""
    made = bootstrapping(subject)
    far = 16.0

    def error(discount: float, reward: float = far) -> np.ndarray:
        return made.trained().errors(made.batch(reward=np.full(B, reward), discount=np.full(B, discount))).priority

    alone = error(0.0)
    if not np.allclose(alone + error(0.0, -far), 2 * far, rtol=1e-4):
        raise NotApplicable("the priorities are not |y − Q(s, a)|")
    once, twice = error(0.4) - alone, error(0.8) - alone
    if (np.abs(twice) > far / 4).any():
        raise NotApplicable("the values are too large for the sign of the errors to be known")
    example = "the change of y by a discount of 0.8; expected: twice the change by 0.4"
    expect(twice, 2 * once, example=example, rtol=1e-3, atol=1e-4)


@check(
    "loss",
    "make_loss",
    Cause("the loss bootstraps from the online network", "facebookresearch/ReAgent#88"),
)
def what_is_bootstrapped_from_is_the_target(subject: Subject) -> None:
    """After learning, a copy of the online network to the target network changes the losses of bootstrapped rows."""
    made = bootstrapping(subject)
    targeted(made.policy())

    def learnt() -> Learner:
        learner = made.trained()
        learner.learn(made.batch(key=1, reward=np.full(B, 100.0), discount=np.zeros(B)), times=3)
        return learner

    behind, level = learnt(), learnt()
    batch = made.batch(next_obs=made.observations(B, key=1))
    if np.array_equal(made.trained().values(batch.next_obs), level.values(batch.next_obs)):
        raise NotApplicable("updates move nothing; the optimiser's checks report that")
    targeted(level.policy).update_target(1.0)
    kept, copied = behind.errors(batch), level.errors(batch)
    example = "three updates towards 100; losses with and without update_target(1), discounts of 0.9"
    require(_differ(kept, copied), example=example, expected="two sets of losses", got=f"the same twice: {kept.loss}")
