"""A head with the log-cosh loss: squared for small errors, absolute for large ones, and smooth in between.

ℓ(δ) = c² · ln cosh(δ / c), which is δ² / 2 for |δ| ≪ c and c · |δ| for |δ| ≫ c.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from plugins.dqn.head import Values
from plugins.dqn.hookspecs import HeadConstructor
from plugins.dqn.maths import bootstrapped, expected_value, taken


class MyVariantOptions(Section, name="my_variant"):
    """The loss."""

    scale: float = Field(1.0, gt=0, description="c: about where the loss goes over from squared to absolute")


def log_cosh(error: Float[Tensor, " B"], scale: float) -> Float[Tensor, " B"]:
    """c² · ln cosh(δ / c), without the overflow of cosh."""
    size = error.abs() / scale
    return scale**2 * (size + functional.softplus(-2 * size) - math.log(2))


class MyVariantHead(nn.Module):
    """One number for each action, which is its value."""

    width = 1

    def __init__(self, scale: float) -> None:
        super().__init__()
        self._scale = scale

    def forward(self, features: Float[Tensor, "B F"], stream: Callable[[Tensor], Tensor]) -> Values:
        return Values(stream(features)[..., 0])

    def loss(
        self,
        online: Values,
        action: Int64[Tensor, " B"],
        target: Values,
        policy: Float[Tensor, "B A"],
        reward: Float[Tensor, " B"],
        discount: Float[Tensor, " B"],
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """(loss, |temporal-difference error|) of each transition. `target` comes without gradient."""
        goal = bootstrapped(reward, discount, expected_value(target.values, policy))
        error = goal - taken(online.values, action)
        return log_cosh(error, self._scale), error.detach().abs()


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def dqn_head(config: Config) -> HeadConstructor:
    scale = config[MyVariantOptions].scale
    return lambda features: MyVariantHead(scale)
