"""A head with the log-cosh loss: squared for small errors, absolute for large ones, and smooth in between.

ℓ(δ) = c² · ln cosh(δ / c). This is about δ² / 2 for |δ| ≪ c, and about c · |δ| for |δ| ≫ c.
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
    """The option of this plugin. Set it with `--set my_variant.scale=2`."""

    scale: float = Field(1.0, gt=0, description="c: errors far below c count squared, errors far above c absolute")


def log_cosh(error: Float[Tensor, " B"], scale: float) -> Float[Tensor, " B"]:
    """Return c² · ln cosh(δ / c). cosh itself would overflow for large errors."""
    size = error.abs() / scale
    return scale**2 * (size + functional.softplus(-2 * size) - math.log(2))


class MyVariantHead(nn.Module):
    """A head that reads one number for each action, its value. `width` says how many numbers it reads."""

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
        next_distribution: Float[Tensor, "B A"],
        reward: Float[Tensor, " B"],
        discount: Float[Tensor, " B"],
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Return the loss and the priority of each transition. The priority is |temporal-difference error|.

        `online` has a gradient and `target` has none, so that learning changes only the online network.
        """
        goal = bootstrapped(reward, discount, expected_value(target.values, next_distribution))
        error = goal - taken(online.values, action)
        return log_cosh(error, self._scale), error.detach().abs()


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def dqn_head(config: Config) -> HeadConstructor:
    # dqn calls the function that this hook returns with the torso's number of features
    scale = config[MyVariantOptions].scale
    return lambda features: MyVariantHead(scale)
