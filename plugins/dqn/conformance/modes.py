"""Checks of how the parts use the networks: with which inputs, in which mode, and with which learning rate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.learners import LearnerFactory
from framework.conformance.subject import Subject
from framework.types import Counters
from plugins.dqn.agent import DQNPolicy
from plugins.dqn.conformance.rig import first_weights, modes_of, numbers, rigged, watched


@check(
    "policy",
    "make_policy",
    Cause("acting leaves out a step that learning applies to observations", "Unity-Technologies/ml-agents#614"),
)
def every_pass_sees_observations_alike(subject: Subject) -> None:
    """The first layer of both networks gets the same numbers for an observation in acting, evaluating and learning."""
    with rigged(subject) as rig:
        obs = rig.batch().obs
        seen: list[tuple[str, np.ndarray]] = []
        using = "acting"

        def note(network: str) -> Callable[[Tensor], None]:
            return lambda given: seen.append((f"{using}, {network} network", numbers(given).copy()))

        with (
            watched(first_weights(rig.online.torso, 1), note("online")),
            watched(first_weights(rig.target.torso, 1), note("target")),
        ):
            rig.policy.action_values(obs, explore=True)
            using = "evaluating"
            rig.policy.action_values(obs, explore=False)
            using = "learning"
            rig.loss(rig.batch(obs=obs, next_obs=obs))
        for where, given in seen[1:]:
            expect(given, seen[0][1], example={"first layer": where, "against": seen[0][0]}, atol=rig.tolerance)


@check("loss", "make_loss", Cause("the network stays in evaluation mode after an evaluation", "pytorch/rl#3069"))
def learning_is_in_training_mode(subject: Subject) -> None:
    """Every module of the online network is in training mode while it learns a batch, even after an evaluation."""
    with rigged(subject) as rig:
        modes: list[set[bool]] = []
        rig.policy.action_values(rig.batch().obs, explore=False)
        with watched(rig.online, lambda given: modes.append(modes_of(rig.online))):
            rig.loss(rig.batch())
        example = "values of `training` in the modules, in a loss after an evaluation"
        expect(sorted(set().union(*modes)), [True], example=example)


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
