"""What all quantile heads share: their output and the quantile Huber loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
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

    Only the quantiles have a gradient.

    Args:
        weights: w of each sample; each row sums to 1.
        levels: τ of each quantile; one row for the whole batch, or one for each transition.
    """
    loss: Tensor = _QuantileHuber.apply(quantiles, samples, weights, levels, kappa)  # type: ignore[no-untyped-call]
    return loss


class _QuantileHuber(torch.autograd.Function):
    """The loss from sums over sorted samples, without a matrix of all N · M errors.

    For one quantile, samples are in four parts: below by more than κ, below, above, above by more than κ. In each part
    the loss is a polynomial in u = sample − quantile, so Σ w, Σ w·sample and Σ w·sample² of a part are enough. They are
    differences of cumulative sums, in float64, because small differences of large sums lose digits.
    """

    @staticmethod
    def forward(ctx: Any, quantiles: Tensor, samples: Tensor, weights: Tensor, levels: Tensor, kappa: float) -> Tensor:
        """Return the loss [B] and keep its slopes [B, N]. The arguments are those of `quantile_huber`."""
        points, levels = quantiles.double(), levels.double()
        samples, order = samples.double().sort(dim=1)
        weights = weights.double().gather(1, order)
        moments = torch.stack((weights, weights * samples, weights * samples.square())).cumsum(dim=2)
        borders = torch.stack((points - kappa, points, points + kappa), dim=1)
        counts = torch.searchsorted(samples, borders.flatten(1)).expand(3, -1, -1)
        until = functional.pad(moments, (1, 0)).gather(2, counts).view(3, *borders.shape)
        total = moments[:, :, -1:, None].expand(-1, -1, -1, points.shape[1])
        # Σ w, Σ w·sample and Σ w·sample² of the four parts, [B, 4, N]
        mass, first, second = until.diff(dim=2, prepend=torch.zeros_like(total), append=total)
        error = first - points[:, None] * mass  # Σ w·u
        square = second - points[:, None] * (first + error)  # Σ w·u²
        left = square[:, 1] / 2 - kappa * (error[:, 0] + kappa / 2 * mass[:, 0])
        right = square[:, 2] / 2 + kappa * (error[:, 3] - kappa / 2 * mass[:, 3])
        losses = (1 - levels) * left + levels * right
        slopes = (1 - levels) * (kappa * mass[:, 0] - error[:, 1]) - levels * (error[:, 2] + kappa * mass[:, 3])
        ctx.save_for_backward((slopes / kappa).to(quantiles.dtype))
        return (losses.sum(dim=1) / kappa).to(quantiles.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        """Return the gradient of the quantiles; the other arguments have none."""
        (slopes,) = ctx.saved_tensors
        return gradients[0][:, None] * slopes, None, None, None, None


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
