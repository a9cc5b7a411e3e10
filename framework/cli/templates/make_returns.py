"""Returns up to the next reward: a window ends at the first reward that is not zero, and after n steps at most.

R = Σ_{j<k} γ^j r_{t+j}, bootstrapped with γ^k. The k-th step is the first with a reward, or the n-th. One update
carries a rare reward back over n steps, and the bootstrap estimates everything after the reward.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.options import ReturnsOptions
from framework.replay.returns import NStepReturns
from framework.types import Returns


class MyVariantOptions(Section, name="my_variant"):
    """The length of a return."""

    longest: int = Field(3, ge=1, le=1000, description="n: the largest number of steps in a return")


class MyVariantReturns(NStepReturns):
    """n-step returns (R, discount, k) whose windows [B, n] also end with their first reward.

    The engine's n-step returns end a window at a step that is truncated, and bootstrap there: a reward counts as such.
    """

    def fold(
        self,
        reward: Float64[np.ndarray, "B n"],
        terminated: Bool[np.ndarray, "B n"],
        truncated: Bool[np.ndarray, "B n"],
    ) -> tuple[Float64[np.ndarray, " B"], Float64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
        """(return, discount of the bootstrap, length) of each window; see `framework.types.Returns`."""
        return super().fold(reward, terminated, truncated | (reward != 0))


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_returns(config: Config) -> Returns:
    return MyVariantReturns(config[ReturnsOptions].gamma, config[MyVariantOptions].longest)
