"""Dueling streams with the maximum (Wang et al. 2016, eq. 8): Q = V + A − max A, so that V is the best value."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import LinearConstructor, StreamConstructor

CHECK_WITH = "dqn,chain"


class MaxDuelingOptions(Section, name="max_dueling"):
    """The hidden layers."""

    units: int = Field(24, ge=1, description="of the one hidden layer that both streams share")


class MaxDueling(nn.Module):
    def __init__(self, linear: LinearConstructor, features: int, actions: int, width: int, units: int) -> None:
        super().__init__()
        self.shared = linear(features, units)
        self.worth = linear(units, width)
        self.gains = nn.ModuleList(linear(units, width) for _ in range(actions))

    def forward(self, features: Tensor) -> Tensor:
        hidden = torch.tanh(self.shared(features))
        gains = torch.stack([gain(hidden) for gain in self.gains], dim=1)
        highest = gains.amax(dim=1, keepdim=True)
        return self.worth(hidden).unsqueeze(1) + gains - highest


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MaxDuelingOptions]


@hookimpl
def dqn_stream(linear: LinearConstructor, config: Config) -> StreamConstructor:
    units = config[MaxDuelingOptions].units

    def make(features: int, actions: int, width: int) -> nn.Module:
        return MaxDueling(linear, features, actions, width, units)

    return make
