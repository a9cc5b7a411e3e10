"""Returns up to the next reward: a window goes on until something is earned, but for n steps at most.

R = Σ_{j<k} γ^j r_{t+j}, bootstrapped with γ^k, where k is the first step with a reward, or n. News of a sparse reward
travels n steps in one update, and what follows a reward is left to the bootstrap.
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
    """How far a return looks."""

    longest: int = Field(3, ge=1, le=1000, description="n: the most steps of a return")


class MyVariantReturns:
    """`horizon` is n: a transition waits for that many steps, or for the end of its episode."""

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
        used[:, 1:] = np.cumsum(last[:, :-1], axis=1) == 0  # nothing after the first of the last ones
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
