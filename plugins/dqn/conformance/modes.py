"""Checks of how the parts use the networks: with which inputs, and in which mode."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from framework.conformance.check import Cause, check, expect
from framework.conformance.subject import Subject
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
