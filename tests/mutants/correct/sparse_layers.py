"""Layers of dqn's stream in which a constant share of the weights is 0. The mask is a buffer of the layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from framework.hooks import hookimpl
from plugins.dqn.hookspecs import LinearConstructor

CHECK_WITH = "dqn,chain"


class Sparse(nn.Linear):
    mask: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.register_buffer("mask", (torch.rand(outputs, inputs) < 0.7).to(self.weight.dtype))

    def forward(self, features: Tensor) -> Tensor:
        return linear(features, self.weight * self.mask, self.bias)


@hookimpl
def dqn_linear() -> LinearConstructor:
    return Sparse
