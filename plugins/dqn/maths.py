"""The mathematics of DQN (Mnih et al. 2015) as pure functions of tensors."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def one_hot(indices: Int64[Tensor, " B"], size: int) -> Float[Tensor, "B size"]:
    """Return unit vectors in the default dtype. torch's own function looks at every index first, which takes longer."""
    return torch.zeros(indices.shape[0], size, device=indices.device).scatter_(1, indices[:, None], 1.0)


def greedy(values: Float[Tensor, "B A"]) -> Float[Tensor, "B A"]:
    """Return the greedy distribution over actions, one-hot. Of several best actions it takes the first."""
    return one_hot(values.argmax(dim=1), values.shape[1]).to(values.dtype)


def bootstrapped(
    reward: Float[Tensor, " B"], discount: Float[Tensor, " B"], next_value: Float[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """y = r + discount · V(s'); where the discount is 0, y = r even if V(s') is NaN."""
    return reward + torch.where(discount == 0, torch.zeros_like(next_value), discount * next_value)


def expected_value(values: Float[Tensor, "B A"], distribution: Float[Tensor, "B A"]) -> Float[Tensor, " B"]:
    """V = Σ_a π(a) · Q(a). An action of probability 0 does not count, even if its value is −∞."""
    return (distribution * torch.where(distribution == 0, 0.0, values)).sum(dim=1)


def taken(values: Float[Tensor, "B A *rest"], action: Int64[Tensor, " B"]) -> Float[Tensor, "B *rest"]:
    """Return the entries of the actions taken: Q(s, a), or the atoms or quantiles of a."""
    if values.ndim == 2:  # the gradient of `gather` takes less time
        return values.gather(1, action[:, None])[:, 0]
    return values[torch.arange(len(action), device=action.device), action]
