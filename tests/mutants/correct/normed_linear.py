"""Weight normalisation (Salimans & Kingma 2016) for the layers of dqn's stream: w = g · v / ‖v‖."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from framework.hooks import hookimpl
from plugins.dqn.hookspecs import LinearConstructor

CHECK_WITH = "dqn,chain"


class Normed(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.direction = nn.Parameter(torch.randn(inputs, outputs))
        self.length = nn.Parameter(torch.ones(outputs) / 2)
        self.offset = nn.Parameter(torch.zeros(outputs))

    def forward(self, features: Tensor) -> Tensor:
        unit = self.direction / self.direction.norm(dim=0)
        return cast(Tensor, features @ unit * self.length + self.offset)


@hookimpl
def dqn_linear() -> LinearConstructor:
    return Normed
