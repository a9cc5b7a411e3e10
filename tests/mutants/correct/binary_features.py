"""Binary features with a straight-through gradient (Bengio et al. 2013, section 4): sign(x), learnt as if it were x."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from framework.hooks import hookimpl
from framework.types import Spaces
from plugins.dqn.hookspecs import TorsoConstructor
from plugins.dqn.networks import torso_for

CHECK_WITH = "dqn,chain"


class Binary(nn.Module):
    own_gradient = True

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.features = inner, 16
        self.layer = nn.Linear(cast(int, inner.features), self.features)

    def forward(self, obs: Tensor) -> Tensor:
        smooth = torch.tanh(self.layer(self.inner(obs)))
        return smooth + (torch.sign(smooth) - smooth).detach()


@hookimpl
def dqn_torso(spaces: Spaces) -> TorsoConstructor:
    return lambda: Binary(torso_for(spaces, (16,))())
