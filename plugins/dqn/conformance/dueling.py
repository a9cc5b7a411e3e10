"""Checks of the dueling stream (Wang et al. 2016)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from framework.conformance.check import Cause, NotApplicable, check, expect
from framework.conformance.fixtures.batches import A, B
from framework.conformance.subject import Subject
from plugins.dqn.conformance.rig import FEATURES, Rig, numbers, rigged

AXIS = Cause("the mean of the advantages runs over the wrong axis", "facebookresearch/ReAgent#256")


def _branches(stream: nn.Module) -> tuple[nn.Module, nn.Module]:
    branches = getattr(stream, "value", None), getattr(stream, "advantage", None)
    if not isinstance(branches[0], nn.Module) or not isinstance(branches[1], nn.Module):
        raise NotApplicable("the stream has no modules `value` and `advantage`")
    return branches[0], branches[1]


def _streams(rig: Rig) -> list[tuple[int, nn.Module]]:
    """Return a stream of width 1 and one of width 5, where a mean over all numbers is not a mean over the actions."""
    return [(width, rig.stream(width).eval()) for width in (1, 5)]


@check("policy", "dqn_stream", AXIS, Cause("the mean is not subtracted, so value and advantage are not unique"))
def advantages_count_by_their_differences_alone(subject: Subject) -> None:
    """The outputs stay the same if one number is added to the advantages of all actions.

    The number differs between rows and between outputs.
    """
    with rigged(subject) as rig:
        for width, stream in _streams(rig):
            _, advantage = _branches(stream)
            features = rig.normal(B, FEATURES)
            before = stream(features)
            constant = rig.normal(B, 1, width)

            def lift(module: nn.Module, given: Any, output: Tensor, constant: Tensor = constant) -> Tensor:
                return output + constant

            advantage.register_forward_hook(lift)
            example = f"{B} rows, {A} actions, width {width}: outputs after a constant was added to the advantages"
            expect(numbers(stream(features)), numbers(before), example=example, atol=10 * rig.tolerance)


@check("policy", "dqn_stream", AXIS, Cause("the largest advantage is subtracted instead of the mean: eq. 8, not eq. 9"))
def dueling_is_value_plus_advantage_less_its_mean(subject: Subject) -> None:
    """Each output is V(s) + A(s, a) − the mean of A(s, ·) over the actions, for each of the head's numbers."""
    with rigged(subject) as rig:
        for width, stream in _streams(rig):
            value, advantage = _branches(stream)
            features = rig.normal(B, FEATURES)
            with torch.no_grad():
                v, a, found = (numbers(module(features)) for module in (value, advantage, stream))
            for row, action, output in np.ndindex(B, A, width):
                mean = sum(a[row, other, output] for other in range(A)) / A
                wanted = v[row, 0, output] + a[row, action, output] - mean
                example = {"V": v[row, 0], "A": a[row], "action": action, "output": output}
                expect(found[row, action, output], wanted, example=example, atol=10 * rig.tolerance)
