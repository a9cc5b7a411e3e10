"""What all quantile heads share: their output and the quantile Huber loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from plugins.dqn.maths import bootstrapped, taken


@dataclass(frozen=True)
class Quantiles:
    """Quantiles [B, A, N] at the levels τ [B or 1, N], and action values [B, A].

    The action values are the means of the quantiles, or what `mean` computes when they are first read.
    """

    quantiles: Float[Tensor, "B A N"]
    levels: Float[Tensor, "R N"]
    mean: Callable[[], Tensor] | None = None

    @cached_property
    def values(self) -> Float[Tensor, "B A"]:
        return self.quantiles.mean(dim=2) if self.mean is None else self.mean()


def quantile_huber(
    quantiles: Float[Tensor, "B N"],
    samples: Float[Tensor, "B M"],
    weights: Float[Tensor, "B M"],
    levels: Float[Tensor, "R N"],
    kappa: float,
) -> Float[Tensor, " B"]:
    """Σ_i Σ_j w_j |τ_i − 1{u_ij < 0}| · L_κ(u_ij) / κ with u_ij = sample_j − quantile_i (Dabney et al. 2018, eq. 10).

    Args:
        weights: w of each sample; each row sums to 1.
        levels: τ of each quantile; one row for the whole batch, or one for each transition.
    """
    error = samples[:, None, :] - quantiles[:, :, None]
    huber = functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=kappa) / kappa
    slant = (levels[:, :, None] - (error.detach() < 0).to(error.dtype)).abs()
    return (slant * huber * weights[:, None, :]).sum(dim=2).sum(dim=1)


class QuantileLoss(nn.Module):
    """The base class of quantile heads. The quantile Huber loss is both their loss and their priority."""

    def __init__(self, kappa: float) -> None:
        super().__init__()
        self._kappa = kappa

    def distribution(self, output: Quantiles) -> tuple[Float[Tensor, "B A N"], Float[Tensor, "B A N"]]:
        """Return the quantiles, all equally likely."""
        quantiles = output.quantiles
        return quantiles, torch.full_like(quantiles, 1 / quantiles.shape[2])

    def loss(
        self,
        online: Quantiles,
        action: Int64[Tensor, " B"],
        target: Quantiles,
        next_distribution: Float[Tensor, "B A"],
        reward: Float[Tensor, " B"],
        discount: Float[Tensor, " B"],
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Return (loss, priority): the quantiles Z(s, a) are fitted to r + discount · Z(s').

        Z(s') is the mixture of the next actions' return distributions, weighted by `next_distribution`.
        """
        quantiles, chances = target.quantiles, next_distribution
        if bool((chances == 1).any(dim=1).all()):
            # one next action for each row: the quantiles of the others would have the weight 0
            quantiles, chances = taken(quantiles, chances.argmax(dim=1))[:, None], torch.ones_like(chances[:, :1])
        width = quantiles.shape[2]
        samples = bootstrapped(reward[:, None], discount[:, None], quantiles.flatten(1))
        weights = (chances / width).repeat_interleave(width, dim=1)
        # where the discount is 0, every sample is the reward: equal weights then replace weights that may be NaN
        weights = torch.where(discount[:, None] == 0, torch.full_like(weights, 1 / weights.shape[1]), weights)
        taken_quantiles = taken(online.quantiles, action)
        loss = quantile_huber(taken_quantiles, samples, weights, online.levels, self._kappa)
        return loss, loss.detach()
