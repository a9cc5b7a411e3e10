"""Quantile regression (Dabney et al. 2018, algorithm 1): the return of each action as N equally likely values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from framework.config import Config, Field, Section
from framework.hookspecs import hookimpl
from plugins.dqn.hookspecs import HeadConstructor
from plugins.dqn.quantiles import Quantiles, quantile_loss


class QROptions(Section, name="qr"):
    """The quantiles and their loss."""

    quantiles: int = Field(51, ge=1, description="quantiles for each action")
    kappa: float = Field(1.0, gt=0, description="errors beyond this count linearly (eq. 9)")


class QuantileHead(nn.Module):
    """The quantile Huber loss between the action taken and all that the next actions may bring; also the priority."""

    def __init__(self, quantiles: int, kappa: float) -> None:
        super().__init__()
        self.width, self._kappa = quantiles, kappa
        self.levels: Tensor
        self.register_buffer("levels", (torch.arange(quantiles) + 0.5) / quantiles)

    def forward(self, features: Float[Tensor, "B F"], stream: nn.Module) -> Quantiles:
        return Quantiles(stream(features), self.levels[None])

    def loss(
        self,
        online: Quantiles,
        action: Int64[Tensor, " B"],
        target: Quantiles,
        policy: Float[Tensor, "B A"],
        reward: Float[Tensor, " B"],
        discount: Float[Tensor, " B"],
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """(quantile Huber loss, the same as the priority) of each transition."""
        loss = quantile_loss(online, action, target, policy, reward, discount, self._kappa)
        return loss, loss.detach()


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [QROptions]


@hookimpl
def dqn_head(config: Config) -> HeadConstructor:
    options = config[QROptions]
    return lambda features: QuantileHead(options.quantiles, options.kappa)
