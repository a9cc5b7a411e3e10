"""Dueling networks (Wang et al. 2016, eq. 9) estimate a state value and advantages, and combine them for each output:
Q(s, a) = V(s) + A(s, a) − mean of A(s, ·).

The paper also scales the gradient that enters its last convolution by 1/√2. Here it is not scaled: the steps of Adam do
not depend on the scale of a layer's gradients, and Rainbow, which has dueling networks and Adam, does not mention it.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from framework.config import Config
from framework.conformance.check import Check, checks_in
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import LinearConstructor, StreamConstructor
from plugins.dqn.networks import ActionStream
from plugins.dqn.options import DQNOptions


class DuelingStream(nn.Module):
    """Computes a state value and A advantages from the same features [B, F], and combines them to [B, A, width]."""

    def __init__(self, linear: LinearConstructor, features: int, actions: int, width: int, hidden: int) -> None:
        super().__init__()
        self.value = ActionStream(linear, features, 1, width, hidden)
        self.advantage = ActionStream(linear, features, actions, width, hidden)

    def forward(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B A width"]:
        advantage = self.advantage(features)
        combined: Tensor = self.value(features) + advantage - advantage.mean(dim=1, keepdim=True)
        return combined


@hookimpl
def dqn_stream(linear: LinearConstructor, config: Config) -> StreamConstructor:
    hidden = config[DQNOptions].hidden
    return lambda features, actions, width: DuelingStream(linear, features, actions, width, hidden)


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.dqn.conformance import dueling

    return checks_in(dueling)
