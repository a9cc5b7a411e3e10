"""The head of DQN: the stream gives one number for each action, its value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from plugins.dqn.maths import bootstrapped, expected_value, taken

ErrorLoss = Callable[..., Tensor]

LOSSES: dict[str, ErrorLoss] = {"squared": functional.mse_loss, "huber": functional.smooth_l1_loss}


@dataclass(frozen=True)
class Values:
    """Action values [B, A]."""

    values: Float[Tensor, "B A"]


class ScalarHead(nn.Module):
    """Mnih et al. 2015, eq. 1: L = ℓ(Q(s, a), r + γ · V_target(s')), with ℓ the squared or the Huber loss."""

    width = 1

    def __init__(self, loss: str) -> None:
        super().__init__()
        self._loss = LOSSES[loss]

    def forward(self, features: Float[Tensor, "B F"], stream: Callable[[Tensor], Tensor]) -> Values:
        return Values(stream(features)[..., 0])

    def loss(
        self,
        online: Values,
        action: Int64[Tensor, " B"],
        target: Values,
        next_distribution: Float[Tensor, "B A"],
        reward: Float[Tensor, " B"],
        discount: Float[Tensor, " B"],
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Return (loss, |temporal-difference error|) of each transition."""
        value = taken(online.values, action)
        goal = bootstrapped(reward, discount, expected_value(target.values, next_distribution))
        return self._loss(value, goal, reduction="none"), (goal - value).detach().abs()
