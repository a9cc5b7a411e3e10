"""Checks of the optimiser: what an update moves, and in which direction."""

from __future__ import annotations

from itertools import product

import numpy as np

from framework.conformance.check import Cause, NotApplicable, Violation, check, expect, require, shown
from framework.conformance.fixtures.batches import A, B
from framework.conformance.fixtures.learners import (
    UPDATES,
    LearnerFactory,
    changed,
    fields_of,
    read_only,
    targeted,
    unexpected_move,
    weights,
)
from framework.conformance.subject import Subject


@check(
    "optimizer",
    "make_optimizer",
    Cause("gradient ascent instead of descent"),
    Cause("the error is Q(s, a) − y but is added"),
    Cause("nothing is updated, because the optimiser has other parameters"),
)
def updates_move_the_value_towards_the_return(subject: Subject) -> None:
    """With a discount of 0, updates on (s, a) move Q(s, a) towards the return, from above and from below."""
    made = LearnerFactory.of(subject)
    for action, reward in product(range(A), (100.0, -100.0)):
        learner, batch = made.fresh(), made.one(action, reward)
        before = learner.values(batch.obs)[0, action]
        moved = unexpected_move(learner, batch, np.sign(reward) * np.eye(A)[action])
        if moved is not None:
            example = {"action": action, "Q(s, a)": before, "return": reward, "discount": 0}
            expected = f"Q(s, a) {'rises' if reward > 0 else 'falls'} in 1 to {UPDATES} updates"
            raise Violation(example, expected, f"it moved by {shown(moved[action])}")


@check(
    "optimizer",
    "make_optimizer",
    Cause("importance weights are dropped in one branch of the loss", "thu-ml/tianshou"),
    Cause("the weights are averaged before they are multiplied by the losses"),
)
def a_row_of_weight_zero_moves_nothing(subject: Subject) -> None:
    """The optimiser applies importance weights row by row: a row of weight 0 has no influence on the update."""
    made = LearnerFactory.of(subject)
    if not subject.consumes("make_buffer", "sampler"):
        raise NotApplicable("the buffer takes no sampler, so that all rows have the same weight")
    for rows in (2, B):
        light = np.arange(rows) % 2 == 1
        obs = made.observations(rows, key=1)
        found = []
        for reward in (0.0, 5.0):
            learner = made.trained()
            returns = np.where(light, reward, 1.0)
            learner.learn(made.batch(rows, reward=returns, discount=np.zeros(rows), weights=np.where(light, 0.0, 1.0)))
            found.append(np.concatenate([learner.values(obs), learner.values(made.observations(rows))]))
        example = {
            "rows": rows,
            "weights": np.where(light, 0, 1),
            "returns of rows with weight 0": "5, compared with 0",
        }
        expect(found[1], found[0], example=example, rtol=1e-5, atol=1e-6)


@check(
    "optimizer",
    "make_optimizer",
    Cause("the optimiser also has the target network's parameters"),
    Cause(
        "the optimiser copies the target after each update, in addition to the target sync", "anthonytorlucci/rlevo#182"
    ),
)
def an_update_leaves_the_target(subject: Subject) -> None:
    """Only `update_target` moves the target network; an update of the optimiser does not."""
    made = LearnerFactory.of(subject)
    learner = made.trained()
    target = targeted(learner.policy)
    before = weights(learner.policy)
    learner.learn(made.training_batch(), times=2)
    behind = weights(learner.policy)
    target.update_target(1.0)
    of_target = changed(behind, weights(learner.policy))
    example = "two updates, then update_target(1)"
    require(bool(of_target), example=example, expected="the target changes now", got="no change: it has moved before")
    moved = set(changed(before, behind)) & set(of_target)
    require(not moved, example="two updates", expected="the target unchanged", got=f"{sorted(moved)} moved")


@check("optimizer", "make_optimizer", Cause("weights or rewards are scaled in place"))
def an_update_only_reads_the_batch(subject: Subject) -> None:
    """An update changes neither the batch nor its losses and priorities, because they are used afterwards."""
    made = LearnerFactory.of(subject)
    learner, batch = made.trained(), made.batch(weights=np.linspace(0.1, 1.0, B))
    errors = learner.errors(batch)
    looked = read_only(lambda: fields_of(batch) | {"loss": errors.loss, "priority": errors.priority})
    learner.optimizer.apply(batch, errors)
    require(not looked(), example="one update", expected="batch and errors unchanged", got=f"{looked()} changed")
