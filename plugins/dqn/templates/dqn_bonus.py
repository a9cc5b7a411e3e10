"""Advantage learning (Bellemare et al. 2016): worse actions earn less, so that the gap to the best one grows.

r ← r + α · [Q_target(s, a) − max_b Q_target(s, b)]: nothing for the best action, a penalty for the others. With α < 1
the best action stays the best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jaxtyping import Float, Int64
from torch import Tensor

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import Bonus, Output
from plugins.dqn.maths import taken


class MyVariantOptions(Section, name="my_variant"):
    """The penalty."""

    alpha: float = Field(0.5, ge=0, lt=1, description="α: the share of the gap that is taken from the reward")


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def dqn_bonus(config: Config) -> Bonus:
    alpha = config[MyVariantOptions].alpha

    def bonus(
        target_before: Callable[[], Output],
        action: Int64[Tensor, " B"],
        target: Output,
        discount: Float[Tensor, " B"],
    ) -> Float[Tensor, " B"]:
        """What each reward gains. Calling `target_before` costs a pass of the network, and gives Q_target(s, ·)."""
        values = target_before().values
        return alpha * (taken(values, action) - values.amax(dim=1))

    return bonus
