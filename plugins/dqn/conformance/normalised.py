"""A check of layer normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from framework.conformance.check import Cause, NotApplicable, check, expect
from framework.conformance.fixtures.batches import B
from framework.conformance.subject import Subject
from plugins.dqn.conformance.rig import FEATURES, Rig, numbers, rigged


def _activations(module: nn.Module, given: Tensor) -> list[np.ndarray]:
    """What each ReLU of a module is given, one row for each observation."""
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
    # another torso may have ReLUs with neither a linear layer nor a convolution before them
    if subject.fills("dqn_torso", "dqn"):
        found += _activations(rig.online.torso, rig.tensor(rig.batch().obs))
    return found


@check("policy", "dqn_stream", Cause("the normalisation is left out, or runs over the batch"))
def activations_are_normalised(subject: Subject) -> None:
    """With layer_norm, what a ReLU is given has mean 0 and variance 1 over each row's units, noise or not."""
    with rigged(subject) as rig:
        layers = _layers(subject, rig)
        if not layers:
            raise NotApplicable("the network has no ReLU")
        for index, given in enumerate(layers):
            example = f"what ReLU {index} of the network is given"
            expect(given.mean(axis=1), np.zeros(B), example=f"{example}: mean of each row", atol=1e-3)
            # Var / (Var + 1e-5) where the variance before was not small
            expect(given.var(axis=1), np.ones(B), example=f"{example}: variance of each row", atol=0.05)
