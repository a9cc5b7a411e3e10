"""Checks of the two networks: their start, their inputs, their modes, and the updates of the target network."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.subject import Subject
from framework.hooks import hookimpl
from framework.types import Averaged, Targeted
from plugins.dqn.conformance.rig import first_weights, modes_of, numbers, rigged, state_of, watched

FOLLOWED = "after the weights of the online network were changed"


class Standardised(nn.Module):
    """A torso that standardises the features of another torso. Its buffers hold the running statistics."""

    def __init__(self, torso: Any) -> None:
        super().__init__()
        self.torso, self.features = torso, torso.features
        self.statistics = nn.BatchNorm1d(self.features)

    def forward(self, obs: Tensor) -> Tensor:
        return self.statistics(self.torso(obs))


class Standardising:
    """A plugin that decorates the torso with `Standardised`, so that the network has buffers."""

    @hookimpl(wrapper=True)
    def dqn_torso(self) -> Generator[None, Callable[[], Any], Callable[[], Any]]:
        build = yield
        return lambda: Standardised(build())


@check(
    "policy",
    "make_policy",
    Cause("the target network is the online network itself", "keras-team/keras-io#98"),
    Cause("the two networks share a module or memory", "tensorforce/tensorforce#81"),
    Cause("the target network is built a second time, with other initial weights"),
)
def target_starts_equal_and_apart(subject: Subject) -> None:
    """The target network starts as a copy of the online network, and does not change when the online network does."""
    with rigged(subject, decorate=Standardising()) as rig:
        before, target = state_of(rig.online), state_of(rig.target)
        expect(sorted(target), sorted(before), example="names of the target's parameters and buffers")
        for name, wanted in before.items():
            expect(target[name], wanted, example={"of the target, at the start": name})
        rig.change_online_network()
        for name, found in state_of(rig.target).items():
            expect(found, before[name], example={"of the target": name, "when": FOLLOWED})


@check(
    "policy", "make_policy", Cause("the optimiser holds both networks, or a gradient flows through the target network")
)
def target_has_no_gradient(subject: Subject) -> None:
    """No parameter of the target network requires a gradient."""
    with rigged(subject) as rig:
        for name, parameter in rig.target.named_parameters():
            require(not parameter.requires_grad, example=name, expected="no gradient in the target", got="one")


@check(
    "policy",
    "make_policy",
    Cause("the running statistics of a normalisation are not copied", "stable-baselines3 changelog"),
    Cause("τ and 1 − τ are swapped"),
)
def update_target_moves_parameters_and_buffers(subject: Subject) -> None:
    """target ← τ · online + (1 − τ) · target for every parameter and float buffer; integer buffers are copied."""
    for fraction in (1.0, 0.25):
        with rigged(subject, decorate=Standardising()) as rig:
            if not isinstance(rig.policy, Targeted):
                raise NotApplicable("the policy has no update_target")
            rig.change_online_network()
            online, before = state_of(rig.online), state_of(rig.target)
            rig.policy.update_target(fraction)
            after = state_of(rig.target)
            for name, fast in online.items():
                wanted = fraction * fast + (1 - fraction) * before[name] if fast.dtype.kind == "f" else fast
                example = {"τ": fraction, "of the target": name}
                expect(after[name], wanted, example=example, rtol=rig.tolerance, atol=rig.tolerance)
            for name, found in state_of(rig.online).items():
                expect(found, online[name], example={"τ": fraction, "of the online network": name})


@check(
    "policy",
    "dqn_torso",
    Cause("images are not scaled", "Unity-Technologies/ml-agents#614"),
    Cause("images are scaled twice"),
)
def images_are_scaled_once(subject: Subject) -> None:
    """At the first layer, black and white pixels of an image differ by about 1: by at least 0.1 and at most 10."""
    with rigged(subject) as rig:
        space = rig.spaces.observation
        if space.dtype != np.uint8 or len(space.shape or ()) < 2:
            raise NotApplicable("observations are not images")
        if isinstance(rig.policy, Averaged):
            rig = replace(rig, policy=rig.policy.learner)
        image = np.zeros((1, *(space.shape or ())), np.uint8)
        image[..., image.shape[-1] // 2 :] = 255
        spans: list[float] = []
        with watched(first_weights(rig.online.torso, 2), lambda given: spans.append(float(given.max() - given.min()))):
            rig.policy.action_values(image, explore=False)
        example = "an image that is black on the left and white on the right, at the first layer with weights"
        require(
            0.1 <= spans[0] <= 10,
            example=example,
            expected="a difference of about 1 between black and white",
            got=spans[0],
        )


@check(
    "policy",
    "make_policy",
    Cause("evaluation leaves the network in training mode", "IntelLabs/coach#368"),
)
def evaluation_is_in_evaluation_mode(subject: Subject) -> None:
    """Every module is in evaluation mode while the agent does not explore, even if it has just explored."""
    with rigged(subject) as rig:
        if isinstance(rig.policy, Averaged):
            rig = replace(rig, policy=rig.policy.learner)
        modes: list[set[bool]] = []
        rig.policy.action_values(rig.batch().obs, explore=True)
        with watched(rig.online, lambda given: modes.append(modes_of(rig.online))):
            rig.policy.action_values(rig.batch().obs, explore=False)
        example = "values of `training` in the modules, in an evaluation"
        expect(sorted(set().union(*modes)), [False], example=example)


@check("policy", "make_policy", Cause("layers draw from torch's global random generator, which other code also uses"))
def networks_ignore_the_global_random_state(subject: Subject) -> None:
    """Initial weights and random draws depend on the run's seed alone. torch's global random state stays the same."""
    found = []
    for seed in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            with rigged(subject) as rig:
                obs = rig.batch().obs
                found.append(np.stack([rig.policy.action_values(obs, explore=True) for _ in range(2)]))
                with torch.no_grad():
                    found[-1] = np.stack([*found[-1], numbers(rig.target(rig.tensor(obs)).values)])
            same = torch.equal(before, torch.get_rng_state())
            require(same, example="torch's global random state", expected="untouched", got="changed")
    example = "action values in three passes, with two global seeds of torch"
    expect(found[1], found[0], example=example, atol=rig.tolerance)
