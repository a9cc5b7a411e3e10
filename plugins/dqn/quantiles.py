"""What quantile heads share: their output, and the quantile Huber loss between one action and all that may follow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from plugins.dqn.maths import bootstrapped, taken


@dataclass(frozen=True)
class Quantiles:
    """Quantiles [B, A, N] at the levels τ [B or 1, N], and their means [B, A]."""

    quantiles: Float[Tensor, "B A N"]
    levels: Float[Tensor, "R N"]

    @property
    def values(self) -> Float[Tensor, "B A"]:
        return self.quantiles.mean(dim=2)


def quantile_huber(
    quantiles: Float[Tensor, "B N"],
    samples: Float[Tensor, "B M"],
    weights: Float[Tensor, "B M"],
    levels: Float[Tensor, "R N"],
    kappa: float,
) -> Float[Tensor, " B"]:
    """Σ_i Σ_j w_j |τ_i − 1{u_ij < 0}| · L_κ(u_ij) / κ with u_ij = sample_j − quantile_i (Dabney et al. 2018, eq. 10).

    Args:
        weights: of the samples, summing to 1 in each row.
        levels: τ of each quantile; one row for all, or one for each.
    """
    error = samples[:, None, :] - quantiles[:, :, None]
    huber = functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=kappa) / kappa
    slant = (levels[:, :, None] - (error.detach() < 0).to(error.dtype)).abs()
    return (slant * huber * weights[:, None, :]).sum(dim=2).sum(dim=1)


class QuantileLoss(nn.Module):
    """The loss of heads that give quantiles: the quantile Huber loss, which is the priority, too."""

    def __init__(self, kappa: float) -> None:
        super().__init__()
        self._kappa = kappa

    def loss(
        self,
        online: Quantiles,
        action: Int64[Tensor, " B"],
        target: Quantiles,
        policy: Float[Tensor, "B A"],
        reward: Float[Tensor, " B"],
        discount: Float[Tensor, " B"],
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Against r + discount · Z(s'), with Z the mixture of the next actions' returns that `policy` weights."""
        width = target.quantiles.shape[2]
        samples = bootstrapped(reward[:, None], discount[:, None], target.quantiles.flatten(1))
        weights = (policy / width).repeat_interleave(width, dim=1)
        # where nothing is bootstrapped every sample is the reward, so that any weights will do
        weights = torch.where(discount[:, None] == 0, torch.full_like(weights, 1 / weights.shape[1]), weights)
        taken_quantiles = taken(online.quantiles, action)
        loss = quantile_huber(taken_quantiles, samples, weights, online.levels, self._kappa)
        return loss, loss.detach()
