"""Quantile regression (Dabney et al. 2018, algorithm 1): the return of each action as N equally likely values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from framework.config import Config, Field, Section
from framework.hookspecs import hookimpl
from plugins.dqn.hookspecs import HeadConstructor
from plugins.dqn.maths import bootstrapped


class QROptions(Section, name="qr"):
    """The quantiles and their loss."""

    quantiles: int = Field(51, ge=1, description="quantiles for each action")
    kappa: float = Field(1.0, gt=0, description="errors beyond this count linearly (eq. 9)")


def quantile_huber(
    quantiles: Float[Tensor, "B N"],
    samples: Float[Tensor, "B M"],
    weights: Float[Tensor, "B M"],
    levels: Float[Tensor, " N"],
    kappa: float,
) -> Float[Tensor, " B"]:
    """Σ_i Σ_j w_j |τ_i − 1{u_ij < 0}| · L_κ(u_ij) / κ with u_ij = sample_j − quantile_i (eq. 10).

    Args:
        weights: of the samples, summing to 1 in each row.
        levels: τ of each quantile.
    """
    error = samples[:, None, :] - quantiles[:, :, None]
    huber = functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=kappa) / kappa
    slant = (levels[None, :, None] - (error.detach() < 0).to(error.dtype)).abs()
    return (slant * huber * weights[:, None, :]).sum(dim=2).sum(dim=1)


@dataclass(frozen=True)
class Quantiles:
    """Quantiles [B, A, N], and their means [B, A]."""

    quantiles: Float[Tensor, "B A N"]
    values: Float[Tensor, "B A"]


class QuantileHead(nn.Module):
    """The quantile Huber loss between the action taken and all that the next actions may bring; also the priority."""

    def __init__(self, quantiles: int, kappa: float) -> None:
        super().__init__()
        self.width, self._kappa = quantiles, kappa
        self.levels: Tensor
        self.register_buffer("levels", (torch.arange(quantiles) + 0.5) / quantiles)

    def forward(self, features: Float[Tensor, "B F"], stream: nn.Module) -> Quantiles:
        quantiles = stream(features)
        return Quantiles(quantiles, quantiles.mean(dim=2))

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
        # the mixture over next actions: every action's quantiles, weighted by how likely the action is
        samples = bootstrapped(reward[:, None], discount[:, None], target.quantiles.flatten(1))
        weights = (policy / self.width).repeat_interleave(self.width, dim=1)
        weights = torch.where(discount[:, None] == 0, torch.full_like(weights, 1 / weights.shape[1]), weights)
        taken = online.quantiles[torch.arange(len(action), device=action.device), action]
        loss = quantile_huber(taken, samples, weights, self.levels, self._kappa)
        return loss, loss.detach()


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [QROptions]


@hookimpl
def dqn_head(config: Config) -> HeadConstructor:
    options = config[QROptions]
    return lambda features: QuantileHead(options.quantiles, options.kappa)
