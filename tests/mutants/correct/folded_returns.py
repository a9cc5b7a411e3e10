"""n-step returns (Sutton & Barto 2018, section 7.1) by their recursion, G = r + γ · G', one window at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.options import ReturnsOptions
from framework.types import Returns

CHECK_WITH = "dqn,chain"


class FoldedOptions(Section, name="folded"):
    """How far the returns look."""

    steps: int = Field(4, ge=1, description="n, the steps of a window")


Window = Sequence[tuple[float, bool, bool]]
"""(reward, terminated, truncated) of each step."""


def folded(window: Window, gamma: float) -> tuple[float, float, int]:
    """(return, discount of what follows, steps used)"""
    (reward, terminated, truncated), *rest = window
    if terminated:
        return reward, 0.0, 1
    if truncated or not rest:
        return reward, gamma, 1
    later, discount, length = folded(rest, gamma)
    return reward + gamma * later, gamma * discount, length + 1


class FoldedReturns:
    def __init__(self, gamma: float, steps: int) -> None:
        self.gamma, self.horizon = gamma, steps

    def fold(
        self, reward: np.ndarray, terminated: np.ndarray, truncated: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        results = [
            folded(list(zip(*window, strict=True)), self.gamma)
            for window in zip(reward.tolist(), terminated.tolist(), truncated.tolist(), strict=True)
        ]
        returns = np.array([result[0] for result in results], np.float64)
        discounts = np.array([result[1] for result in results], np.float64)
        return returns, discounts, np.array([result[2] for result in results], np.int64)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [FoldedOptions]


@hookimpl
def make_returns(config: Config) -> Returns:
    return FoldedReturns(config[ReturnsOptions].gamma, config[FoldedOptions].steps)
