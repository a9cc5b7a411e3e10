"""Quantile regression (Dabney et al. 2018) with the plain pinball loss, its mean over both axes, computed in float64.

The published loss is summed over the quantiles and rounded near 0; neither changes where it is least. The priority is
a hundred times the root of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import HeadConstructor

CHECK_WITH = "dqn,chain"


class PinballOptions(Section, name="pinball"):
    """The quantiles."""

    count: int = Field(11, ge=1, description="how many, at the middles of as many equal shares")


@dataclass
class Spread:
    """Quantiles [count, B, A]."""

    quantiles: Tensor

    @property
    def values(self) -> Tensor:
        return self.quantiles.sum(0) / len(self.quantiles)


class PinballHead(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.width = count

    def forward(self, features: Tensor, stream: nn.Module) -> Spread:
        return Spread(stream(features).movedim(2, 0))

    def loss(
        self, online: Spread, action: Tensor, target: Spread, policy: Tensor, reward: Tensor, discount: Tensor
    ) -> tuple[Tensor, Tensor]:
        rows = torch.arange(len(action), device=action.device)
        mine = online.quantiles[:, rows, action].double()
        levels = (torch.arange(self.width, device=action.device, dtype=torch.float64) + 0.5) / self.width
        total = torch.zeros_like(mine[0])
        # where nothing follows, every next action gives the same sample; their probabilities add up to 1
        chances = torch.where(discount[:, None] == 0, torch.full_like(policy, 1 / policy.shape[1]), policy).double()
        for next_action in range(policy.shape[1]):
            for place in range(self.width):
                follows = target.quantiles[place, :, next_action]
                follows = torch.where(discount == 0, torch.zeros_like(follows), follows)
                above = (reward + discount * follows).double() - mine
                slanted = torch.where(above < 0, (levels[:, None] - 1) * above, levels[:, None] * above)
                total = total + chances[:, next_action] * slanted.mean(0) / self.width
        return total.to(online.quantiles.dtype), 100 * total.detach().sqrt()


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [PinballOptions]


@hookimpl
def dqn_head(config: Config) -> HeadConstructor:
    count = config[PinballOptions].count
    return lambda features: PinballHead(count)
