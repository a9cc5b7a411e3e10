"""Advantage learning (Bellemare et al. 2016): a penalty for worse actions, so that their gap to the best one grows.

The loss adds a bonus to each reward: α · [Q_target(s, a) − max_b Q_target(s, b)]. This is 0 for the best action and
negative for the others. With α < 1 the best action stays the best.
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
    """The option of this plugin. Set it with `--set my_variant.alpha=0.3`."""

    alpha: float = Field(
        0.5, ge=0, lt=1, description="α: share of the gap to the best action that is subtracted from the reward"
    )


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def dqn_bonus(config: Config) -> Bonus:
    # dqn calls this hook once, while it builds the loss, and calls `bonus` for every batch
    alpha = config[MyVariantOptions].alpha

    def bonus(
        target_before: Callable[[], Output],
        action: Int64[Tensor, " B"],
        target: Output,
        discount: Float[Tensor, " B"],
    ) -> Float[Tensor, " B"]:
        """Return the bonus of each transition. The loss adds it to the reward.

        `target_before()` runs the target network on the observations s; it costs one pass of the network. `target` is
        the target network's output at the next observations, `discount` the factor of its values. This bonus needs
        neither of the two.
        """
        values = target_before().values
        return alpha * (taken(values, action) - values.amax(dim=1))

    return bonus
