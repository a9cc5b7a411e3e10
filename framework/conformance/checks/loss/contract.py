"""Checks of the loss: one error for each transition, and what it may depend on."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np

from framework.conformance.check import Cause, NotApplicable, Violation, check, expect, require, shown
from framework.conformance.fixtures.batches import A, B
from framework.conformance.fixtures.learners import (
    FLOAT32,
    UPDATES,
    Learner,
    LearnerFactory,
    counters,
    expect_same,
    fields_of,
    read_only,
    unexpected_move,
    weights,
)
from framework.conformance.fixtures.memory import expect_no_arrays_of_others
from framework.conformance.subject import Subject
from framework.types import Batch


@check(
    "loss",
    "make_loss",
    Cause("the mean over the batch instead of a loss for each row"),
    Cause("(B,) is broadcast against (B, 1)", "chainer/chainerrl#359"),
    Cause("the priority is the signed error"),
)
def a_loss_and_a_priority_for_each_row(subject: Subject) -> None:
    """A batch of B rows gives B finite losses and B finite, non-negative float64 priorities."""
    made = LearnerFactory.of(subject)
    learner = made.trained()
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
    Cause("the loss itself makes the update"),
    Cause("a field of the batch is scaled or masked in place"),
    Cause("reading the exploration's probabilities changes its counts or uses up random numbers"),
)
def a_loss_changes_nothing(subject: Subject) -> None:
    """A loss changes neither the policy's values and weights, nor the batch, nor the exploration's choices."""
    made = LearnerFactory.of(subject)
    learner, other, batch = made.trained(), made.trained(), made.batch()
    obs = made.observations(B, key=1)
    values = learner.values(obs)
    of_batch, of_policy = read_only(lambda: fields_of(batch)), read_only(lambda: weights(learner.policy))
    learner.errors(batch)
    require(not of_batch(), example="the loss of a batch", expected="the batch unchanged", got=f"{of_batch()} changed")
    require(
        not of_policy(), example="the loss of a batch", expected="the weights unchanged", got=f"{of_policy()} changed"
    )
    expect(learner.values(obs), values, example="the policy's values after the loss of a batch")
    for call in range(3):
        choices = [one.exploration.choose(values, obs, counters()) for one in (learner, other)]
        expect(choices[0], choices[1], example=f"the exploration's choices after the loss of a batch, call {call}")


@check("loss", "make_loss", Cause("importance weights are applied twice: in the loss and in the optimiser"))
def a_loss_does_not_read_weights(subject: Subject) -> None:
    """Losses and priorities do not depend on importance weights, because the optimiser applies those."""
    made = LearnerFactory.of(subject)
    wanted = made.trained().errors(made.batch())
    weighted = made.batch(weights=np.linspace(0.1, 1.0, B))
    expect_same(made.trained().errors(weighted), wanted, "weights from 0.1 to 1, compared with weights of 1")


def _mixes_rows(made: LearnerFactory) -> bool:
    """Whether rows influence each other in training by design, as with batch normalisation."""
    obs = made.observations(B)
    alone, among = (made.trained().policy.action_values(rows, explore=True)[0] for rows in (obs[:1], obs))
    return not np.allclose(alone, among, rtol=1e-3, atol=1e-4)


@check(
    "loss",
    "make_loss",
    Cause("(B,) is broadcast against (B, 1)", "chainer/chainerrl#359"),
    Cause("a maximum or an index runs over the batch"),
    Cause("right only if the batch is as large as another axis", "archsyscall/DistRL-TensorFlow2#1"),
)
def a_row_does_not_see_the_others(subject: Subject) -> None:
    """A row's loss and priority do not depend on the action, reward, discount and successor of other rows."""
    made = LearnerFactory.of(subject)
    names = ["action", "reward", "discount", "next_action"]
    if not _mixes_rows(made):
        names.append("next_obs")
    for rows, odd in product((2, B), (0, 1)):
        kept = np.arange(rows) % 2 == odd
        batch, other = made.batch(rows), made.batch(rows, key=1, discount=np.linspace(0.0, 0.8, rows))
        fields, exchanged = fields_of(batch), fields_of(other)
        mixed = fields | {
            name: np.where(kept.reshape(-1, *[1] * (fields[name].ndim - 1)), fields[name], exchanged[name])
            for name in names
        }
        got, wanted = (
            made.trained().errors(made.batch(rows, **mixed)),
            made.trained().errors(made.batch(rows, **fields)),
        )
        expect_same(got, wanted, f"rows {np.flatnonzero(kept)} of {rows}, the others changed", kept, **FLOAT32)


def _must_learn(made: LearnerFactory, learner: Learner, batch: Batch) -> None:
    """Make sure that updates work at all, so that a failure is the loss's fault and not the optimiser's.

    Raises:
        NotApplicable: if updates have raised the learner's own loss, or if a small error moves nothing either.
    """
    risen = learner.errors(batch).loss.mean() > made.fresh().errors(batch).loss.mean()
    other, small = made.fresh(), made.one(0, 0.5)
    before = other.values(small.obs)
    other.learn(small, times=5)
    if risen or np.array_equal(before, other.values(small.obs)):
        raise NotApplicable("updates do not lower the loss; the optimiser's checks report that")


@check(
    "loss",
    "make_loss",
    Cause("the error is clipped instead of the gradient: large errors get gradient 0", "devsisters/DQN-tensorflow#16"),
    Cause("the loss is constant beyond 1 instead of linear", "spragunr/deep_q_rl#46"),
    Cause("the return is compared with another action's value, such as the best one's"),
)
def a_large_error_moves_the_action_that_was_taken(subject: Subject) -> None:
    """Returns of +100 for one action and −100 for another raise the first value relative to the second.

    The check compares the changes of the two values. So a change that all actions share (by a common layer or the state
    value of a dueling network) cancels out.
    """
    made = LearnerFactory.of(subject)
    obs = np.repeat(made.observations(1), 2, axis=0)
    for actions in permutations(range(A), 2):
        learner, (up, down) = made.fresh(), actions
        batch = made.batch(2, obs=obs, action=np.array(actions), reward=np.array([100.0, -100.0]), discount=np.zeros(2))
        moved = unexpected_move(learner, batch, np.eye(A)[up] - np.eye(A)[down])
        if moved is not None:
            _must_learn(made, learner, batch)
            example = {"actions": actions, "returns": "+100 and −100", "discounts": 0, "updates": f"1 to {UPDATES}"}
            raise Violation(example, f"action {up} rises relative to {down}", f"values moved by {shown(moved)}")


@check(
    "loss",
    "make_loss",
    Cause("the errors are views of the batch, or of the errors before"),
)
def arrays_of_errors_are_their_own(subject: Subject) -> None:
    """Losses and priorities share no memory that can be written with the batch or with the errors before."""
    made = LearnerFactory.of(subject)
    learner, others = made.trained(), dict[str, object]()
    for rows in (1, B, B):
        batch = made.batch(rows)
        errors = learner.errors(batch)
        expect_no_arrays_of_others(errors, "the errors", {**others, "the batch": batch})
        others = {"the errors before": errors}
