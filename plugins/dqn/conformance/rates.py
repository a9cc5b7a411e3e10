"""Checks of the learning rate in the course of a run."""

from __future__ import annotations

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.learners import LearnerFactory
from framework.conformance.subject import Subject
from framework.types import Counters
from plugins.dqn.agent import DQNPolicy

RUN = {"run.steps": 80, "run.episodes": None, "dqn.learning_rate_left": 0.0}


@check(
    "optimizer",
    "make_optimizer",
    Cause("the learning rate is read once, when the optimiser is made"),
    Cause("the rate falls with something else than environment steps, such as updates"),
)
def the_learning_rate_falls_to_its_share_by_the_end(subject: Subject) -> None:
    """With dqn.learning_rate_left = 0 the weights move until run.steps, and from there on they do not."""
    if not subject.fills("make_optimizer", "dqn", "pqn"):
        raise NotApplicable(f"{subject.owner('make_optimizer')} has an optimiser of its own")
    made = LearnerFactory.of(subject)
    builder = subject.builder(RUN)
    policy = builder.policy(made.spaces)
    if not isinstance(policy, DQNPolicy):
        raise NotApplicable(f"{subject.owner('make_policy')} has no network of dqn")
    counters = Counters()
    optimizer = builder.optimizer(policy, counters)
    loss = builder.loss(policy, builder.exploration(made.spaces))
    batch = made.training_batch()
    for steps, moves in ((0, True), (79, True), (80, False), (400, False), (40, True)):
        counters.env_steps, counters.updates = steps, 400 - steps
        before = [parameter.detach().cpu().numpy().copy() for parameter in policy.online.parameters()]
        optimizer.apply(batch, loss(batch, counters))
        after = [parameter.detach().cpu().numpy() for parameter in policy.online.parameters()]
        example = {"run.steps": RUN["run.steps"], "environment steps": steps, "dqn.learning_rate_left": 0}
        if moves:
            moved = any(not np.array_equal(old, new) for old, new in zip(before, after, strict=True))
            require(moved, example=example, expected="the weights move", got="they do not")
        else:
            for old, new in zip(before, after, strict=True):
                expect(new, old, example=example)
