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
