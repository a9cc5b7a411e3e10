"""Checks of the loss: one error for each transition, and what it may depend on."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np

from framework.conformance.checks import Cause, NotApplicable, Violation, check, expect, require, shown
from framework.conformance.learners import (
    FLOAT32,
    Class,
    Learner,
    bootstrapping,
    counters,
    read_only,
    targeted,
    weights,
)
from framework.conformance.subject import A, B, Subject
from framework.types import Batch, Errors


def _fields(batch: Batch) -> dict[str, Any]:
    names = ("ids", "obs", "action", "reward", "discount", "weights", "next_obs", "next_action")
    return {name: getattr(batch, name) for name in names}


def _same(got: Errors, wanted: Errors, example: str, rows: Any = slice(None), **tolerance: float) -> None:
    expect(got.loss[rows], wanted.loss[rows], example=f"{example}: loss", **tolerance)
    expect(got.priority[rows], wanted.priority[rows], example=f"{example}: priority", **tolerance)


def _differ(one: Errors, other: Errors) -> bool:
    """By more than rounding, in some row."""
    return not np.allclose(one.loss, other.loss, rtol=1e-6, atol=1e-7)


@check(
    "loss",
    "make_loss",
    Cause("the mean over the batch where a loss for each row is wanted"),
    Cause("(B,) is broadcast against (B, 1)", "chainer/chainerrl#359"),
    Cause("the signed error is the priority"),
)
def a_loss_and_a_priority_for_each_row(subject: Subject) -> None:
    """B rows give B finite losses, and B priorities in float64, finite and not negative."""
    made = Class.of(subject)
    learner = made.taught()
    for rows in (1, 2, A, B):
        errors = learner.errors(made.batch(rows))
        for name in ("loss", "priority"):
            array = getattr(errors, name)
            example = {"rows": rows, "array": name}
            require(isinstance(array, np.ndarray), example=example, expected="a numpy array", got=type(array).__name__)
            require(array.shape == (rows,), example=example, expected=f"shape ({rows},)", got=f"shape {array.shape}")
            require(array.dtype.kind == "f", example=example, expected="floats", got=str(array.dtype))
            require(bool(np.isfinite(array).all()), example=example, expected="finite numbers", got=array)
        priority = errors.priority
        require(
            priority.dtype == np.float64, example={"rows": rows}, expected="float64 priorities", got=str(priority.dtype)
        )
        require(bool((priority >= 0).all()), example={"rows": rows}, expected="priorities ≥ 0", got=priority)


@check(
    "loss",
    "make_loss",
    Cause("the update is made in the loss"),
    Cause("a field of the batch is scaled or masked in place"),
    Cause("the exploration's counts or random numbers are used up by asking how the agent acts"),
)
def a_loss_changes_nothing(subject: Subject) -> None:
    """Computing a loss leaves the policy's values and weights, the batch and the exploration's choices as they were."""
    made = Class.of(subject)
    learner, other, batch = made.taught(), made.taught(), made.batch()
    obs = made.observations(B, key=1)
    values = learner.values(obs)
    of_batch, of_policy = read_only(lambda: _fields(batch)), read_only(lambda: weights(learner.policy))
    learner.errors(batch)
    require(not of_batch(), example="the loss of a batch", expected="the batch unchanged", got=f"{of_batch()} changed")
    require(
        not of_policy(), example="the loss of a batch", expected="the weights unchanged", got=f"{of_policy()} changed"
    )
    expect(learner.values(obs), values, example="the policy's values after the loss of a batch")
    for call in range(3):
        choices = [one.exploration.choose(values, obs, counters()) for one in (learner, other)]
        expect(choices[0], choices[1], example=f"the exploration's choices after the loss of a batch, call {call}")


@check(
    "loss", "make_loss", Cause("importance weights enter twice: in the loss and in the optimiser", "pytorch/rl#2211")
)
def a_loss_does_not_read_weights(subject: Subject) -> None:
    """Importance weights are the optimiser's to apply: losses and priorities do not depend on them."""
    made = Class.of(subject)
    wanted = made.taught().errors(made.batch())
    weighted = made.batch(weights=np.linspace(0.1, 1.0, B))
    _same(made.taught().errors(weighted), wanted, "weights from 0.1 to 1, compared with weights of 1")


def _mixes_rows(made: Class) -> bool:
    """Whether observations see each other in training by design, as where a batch is normalised."""
    obs = made.observations(B)
    alone, among = (made.taught().policy.action_values(rows, explore=True)[0] for rows in (obs[:1], obs))
    return not np.allclose(alone, among, rtol=1e-3, atol=1e-4)


@check(
    "loss",
    "make_loss",
    Cause("(B,) is broadcast against (B, 1)", "chainer/chainerrl#359"),
    Cause("a maximum or an index runs over the batch"),
    Cause("right only where the batch is as large as another axis", "archsyscall/DistRL-TensorFlow2#1"),
)
def a_row_does_not_see_the_others(subject: Subject) -> None:
    """A row's loss and priority stay the same when action, reward, discount and successor of other rows change."""
    made = Class.of(subject)
    names = ["action", "reward", "discount", "next_action"]
    if not _mixes_rows(made):
        names.append("next_obs")
    for rows, odd in product((2, B), (0, 1)):
        kept = np.arange(rows) % 2 == odd
        batch, other = made.batch(rows), made.batch(rows, key=1, discount=np.linspace(0.0, 0.8, rows))
        fields, exchanged = _fields(batch), _fields(other)
        mixed = fields | {
            name: np.where(kept.reshape(-1, *[1] * (fields[name].ndim - 1)), fields[name], exchanged[name])
            for name in names
        }
        got, wanted = made.taught().errors(made.batch(rows, **mixed)), made.taught().errors(made.batch(rows, **fields))
        _same(got, wanted, f"rows {np.flatnonzero(kept)} of {rows}, the others changed", kept, **FLOAT32)


@check(
    "loss",
    "make_loss",
    Cause("NaN · (1 − terminated) is NaN", "anthonytorlucci/rlevo#192"),
    Cause("the discount is not asked where the process ended", "younggyoseo/FastTD3#7"),
)
def nothing_behind_a_discount_of_zero_matters(subject: Subject) -> None:
    """Where the discount is 0 the loss depends on the return alone: not on the successor, were it NaN."""
    made = Class.of(subject)
    zero = np.zeros(B)
    wanted = made.taught().errors(made.batch(discount=zero))
    for example, given in (
        ("other successors", {"next_obs": made.observations(B, key=1)}),
        ("no next action (−1)", {"next_action": np.full(B, -1)}),
    ):
        got = made.taught().errors(made.batch(discount=zero, **given))
        _same(got, wanted, f"discounts of 0, {example}", **FLOAT32)
    space = made.spaces.observation
    if np.dtype(space.dtype or np.int64).kind == "f":
        nowhere = np.full_like(made.observations(B), np.nan)
        got = made.taught().errors(made.batch(discount=zero, next_obs=nowhere))
        _same(got, wanted, "discounts of 0, successors of NaN", **FLOAT32)


@check(
    "loss",
    "make_loss",
    Cause("the target network is fed s, not s'", "google-research/recsim#26"),
    Cause("a truncated episode is not bootstrapped", "keras-rl/keras-rl#298"),
)
def a_discount_above_zero_bootstraps_from_the_successor(subject: Subject) -> None:
    """Where the discount is not 0 the loss depends on the successor, also where no next action is known."""
    made = bootstrapping(subject)
    for example, next_action in (
        ("next actions known", None),
        ("no next action (−1), as at a truncation", np.full(B, -1)),
    ):
        one, other = (
            made.taught().errors(made.batch(next_obs=made.observations(B, key=key), next_action=next_action))
            for key in (1, 2)
        )
        case = f"discounts of 0.9, {example}; two sets of successors"
        require(_differ(one, other), example=case, expected="two sets of losses", got=f"the same twice: {one.loss}")


@check(
    "loss",
    "make_loss",
    Cause("γ never reaches the loss", "mlaux1/rl-blox#79"),
    Cause("γ's exponent is taken from the ends: γ⁰ = 1", "takuseno/d3rlpy#346"),
)
def the_discount_of_the_batch_is_the_one_used(subject: Subject) -> None:
    """Discounts of 0, 0.3 and 0.9 give three losses: γ^k comes with the batch, and is no constant of the loss."""
    made = bootstrapping(subject)
    given = (0.0, 0.3, 0.9)
    found = [made.taught().errors(made.batch(discount=np.full(B, discount))) for discount in given]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        example = {"discounts": (given[one], given[other])}
        got = f"the same twice: {found[one].loss}"
        require(_differ(found[one], found[other]), example=example, expected="two sets of losses", got=got)


@check(
    "loss",
    "make_loss",
    Cause("a power of the discount, or the option γ, is used again", "younggyoseo/FastTD3#6"),
    Cause("γ's exponent is taken from the ends: γ⁰ = 1", "takuseno/d3rlpy#346"),
)
def the_error_is_linear_in_the_discount(subject: Subject) -> None:
    """Where the priority is |y − Q(s, a)|, y is linear in the discount: twice the discount is twice the bootstrap."""
    made = bootstrapping(subject)
    far = 16.0

    def error(discount: float, reward: float = far) -> np.ndarray:
        return made.taught().errors(made.batch(reward=np.full(B, reward), discount=np.full(B, discount))).priority

    alone = error(0.0)
    if not np.allclose(alone + error(0.0, -far), 2 * far, rtol=1e-4):
        raise NotApplicable("the priorities are no plain errors")
    once, twice = error(0.4) - alone, error(0.8) - alone
    if (np.abs(twice) > far / 4).any():
        raise NotApplicable("the values are too large for errors of a known sign")
    example = "by how much a discount of 0.8 changes y: expected is twice what 0.4 does"
    expect(twice, 2 * once, example=example, rtol=1e-3, atol=1e-4)


@check(
    "loss",
    "make_loss",
    Cause("the loss bootstraps from the online network", "facebookresearch/ReAgent#88"),
)
def what_is_bootstrapped_from_is_the_target(subject: Subject) -> None:
    """Once learning has moved the online part, copying it to the target changes the losses of bootstrapped rows."""
    made = bootstrapping(subject)
    targeted(made.policy())

    def learnt() -> Learner:
        learner = made.taught()
        learner.learn(made.batch(key=1, reward=np.full(B, 100.0), discount=np.zeros(B)), times=3)
        return learner

    behind, level = learnt(), learnt()
    batch = made.batch(next_obs=made.observations(B, key=1))
    if np.array_equal(made.taught().values(batch.next_obs), level.values(batch.next_obs)):
        raise NotApplicable("updates move nothing, which is for the optimiser's checks to say")
    targeted(level.policy).update_target(1.0)
    kept, copied = behind.errors(batch), level.errors(batch)
    example = "three updates towards 100; losses with and without update_target(1), discounts of 0.9"
    require(_differ(kept, copied), example=example, expected="two sets of losses", got=f"the same twice: {kept.loss}")


def _must_learn(made: Class, learner: Learner, batch: Batch) -> None:
    """Tell a loss that asks for the wrong thing from an optimiser that does not do what it is asked for.

    Raises:
        NotApplicable: if the learner's updates have raised its own loss, or a small error moves nothing either.
    """
    risen = learner.errors(batch).loss.mean() > made.fresh().errors(batch).loss.mean()
    other, small = made.fresh(), made.one(0, 0.5)
    before = other.values(small.obs)
    other.learn(small, times=5)
    if risen or np.array_equal(before, other.values(small.obs)):
        raise NotApplicable("updates do not lower the loss, which is for the optimiser's checks to say")


@check(
    "loss",
    "make_loss",
    Cause("clipping the error, not the gradient, zeroes large gradients", "devsisters/DQN-tensorflow#16"),
    Cause("a loss that is constant beyond 1, where one that is linear is meant", "spragunr/deep_q_rl#46"),
    Cause("another action's value is compared with the return, such as the best one's"),
)
def a_large_error_moves_the_action_that_was_taken(subject: Subject) -> None:
    """Errors of +100 for one action and of −100 for another raise the value of the first above that of the second.

    Measured from where they stood: whatever an update moves for all actions alike (a shared layer, the stream of
    state values) cancels out.
    """
    made = Class.of(subject)
    obs = np.repeat(made.observations(1), 2, axis=0)
    for actions in permutations(range(A), 2):
        learner = made.fresh()
        batch = made.batch(2, obs=obs, action=np.array(actions), reward=np.array([100.0, -100.0]), discount=np.zeros(2))
        before = learner.values(obs)[0]
        # the first update is enough, but where it has noise
        for _ in range(5):
            learner.learn(batch)
            moved = learner.values(obs)[0] - before
            if moved[actions[0]] > moved[actions[1]]:
                break
        else:
            _must_learn(made, learner, batch)
            example = {"actions": actions, "returns": "+100 and −100", "discounts": 0, "updates": "1 to 5"}
            raise Violation(example, f"action {actions[0]} rises above {actions[1]}", f"values moved by {shown(moved)}")
