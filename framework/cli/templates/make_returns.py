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
from framework.types import Returns


class MyVariantOptions(Section, name="my_variant"):
    """The length of a return."""

    longest: int = Field(3, ge=1, le=1000, description="n: the largest number of steps in a return")


class MyVariantReturns:
    """`horizon` is n: the buffer waits for n steps, or for the end of the episode, before it samples a transition."""

    def __init__(self, gamma: float, longest: int) -> None:
        self.horizon = longest
        self._powers = gamma ** np.arange(longest + 1, dtype=np.float64)

    def fold(
        self,
        reward: Float64[np.ndarray, "B n"],
        terminated: Bool[np.ndarray, "B n"],
        truncated: Bool[np.ndarray, "B n"],
    ) -> tuple[Float64[np.ndarray, " B"], Float64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
        last = terminated | truncated | (reward != 0)
        used = np.ones_like(last)
        used[:, 1:] = np.cumsum(last[:, :-1], axis=1) == 0  # no step after the first one that ends the window
        length = used.sum(axis=1)
        returns = np.where(used, reward, 0.0) @ self._powers[:-1]
        discount = np.where((terminated & used).any(axis=1), 0.0, self._powers[length])
        return returns, discount, length


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_returns(config: Config) -> Returns:
    return MyVariantReturns(config[ReturnsOptions].gamma, config[MyVariantOptions].longest)
