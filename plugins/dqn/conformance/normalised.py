"""Checks of layer_norm and of normalise: activations and observations have a mean of 0 and a variance of 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor, nn

from framework.conformance.check import Cause, NotApplicable, Violation, check, expect
from framework.conformance.fixtures.batches import B
from framework.conformance.fixtures.spies import short
from framework.conformance.subject import Subject
from framework.events import Callback
from framework.training.evaluation import evaluate
from framework.training.loop import Loop
from framework.types import Averaged, Counters, Step
from plugins.dqn.conformance.rig import FEATURES, Rig, numbers, rigged


def _activations(module: nn.Module, given: Tensor) -> list[np.ndarray]:
    """Return the input of each ReLU of a module, one row for each observation."""
    found: list[np.ndarray] = []

    def note(relu: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
        found.append(numbers(inputs[0]).reshape(len(given), -1))

    watches = [relu.register_forward_pre_hook(note) for relu in module.modules() if isinstance(relu, nn.ReLU)]
    module(given)
    for watch in watches:
        watch.remove()
    return found


def _layers(subject: Subject, rig: Rig) -> list[np.ndarray]:
    found = _activations(rig.stream(2).train(), 3 * rig.normal(B, FEATURES))
    # a ReLU of another torso may follow neither a linear layer nor a convolution
    if subject.fills("dqn_torso", "dqn"):
        found += _activations(rig.online.torso, rig.tensor(rig.batch().obs))
    return found


@check("policy", "dqn_stream", Cause("the normalisation is missing, or runs over the batch"))
def activations_are_normalised(subject: Subject) -> None:
    """With layer_norm, the input of every ReLU has mean 0 and variance 1 over the units of a row, also with noise."""
    with rigged(subject) as rig:
        layers = _layers(subject, rig)
        if not layers:
            raise NotApplicable("the network has no ReLU")
        for index, given in enumerate(layers):
            example = f"the input of ReLU {index} of the network"
            expect(given.mean(axis=1), np.zeros(B), example=f"{example}: mean of each row", atol=1e-3)
            # the variance is Var / (Var + 1e-5), near 1 unless Var, the variance before the normalisation, is tiny
            expect(given.var(axis=1), np.ones(B), example=f"{example}: variance of each row", atol=0.05)


LIMIT = 1.0
"""normalise.clip in the check: many observations are further from their mean."""


class _Seen(Callback):
    def __init__(self) -> None:
        self.obs: list[np.ndarray] = []

    def on_step(self, step: Step, counters: Counters) -> None:
        self.obs.append(step.obs.copy())


@check(
    "policy",
    "make_policy",
    Cause("the target network has no statistics, or older ones"),
    Cause("evaluations change the statistics"),
    Cause("the variance is that of the last observations"),
    Cause("observations reach the network as they are"),
)
def both_networks_have_the_statistics_of_training(subject: Subject) -> None:
    """Both networks normalise by the mean and the variance of all observations of training, and of no others."""
    with subject.probed("ledger", {**short(subject, 2), "normalise.clip": LIMIT}) as parts:
        policy: Any = parts.policy.learner if isinstance(parts.policy, Averaged) else parts.policy
        if not isinstance(parts.spaces.observation, Box) or parts.spaces.observation.dtype == np.uint8:
            raise NotApplicable("the observations are not a single Box of numbers other than bytes")
        seen = _Seen()
        Loop(parts, [seen]).run()
        evaluate(parts, name="statistics", episodes=2)
        obs = np.concatenate(seen.obs).astype(np.float64)
        for name in ("online", "target"):
            found = _statistics(getattr(policy, name))
            for what, wanted in (("count", len(obs)), ("mean", obs.mean(axis=0)), ("variance", obs.var(axis=0))):
                expect(found[what], wanted, example={"network": name, "compared": what}, rtol=1e-6, atol=1e-9)
            normalised = (obs - obs.mean(axis=0)) / np.sqrt(obs.var(axis=0) + 1e-8)
            given = _given_to_the_torso(getattr(policy, name), policy.tensor(np.concatenate(seen.obs)))
            example = {"network": name, "compared": "what the torso is given"}
            expect(given, np.clip(normalised, -LIMIT, LIMIT), example=example, rtol=1e-4, atol=1e-5)


def _normalising(network: nn.Module) -> nn.Module:
    """The only module of a network that normalises observations."""
    for module in network.modules():
        if {"mean", "variance", "count"} <= set(dict(module.named_buffers(recurse=False))):
            return module
    raise Violation("the modules of a network", "one with the statistics of observations", "none")


def _statistics(network: nn.Module) -> dict[str, np.ndarray]:
    return {name: numbers(buffer) for name, buffer in _normalising(network).named_buffers(recurse=False)}


def _given_to_the_torso(network: nn.Module, obs: Tensor) -> np.ndarray:
    found: list[np.ndarray] = []
    torso = _normalising(network).get_submodule("torso")
    watch = torso.register_forward_pre_hook(lambda module, inputs: found.append(numbers(inputs[0])))
    with torch.no_grad():
        network(obs)
    watch.remove()
    return found[0]
