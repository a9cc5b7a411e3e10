"""The probability that a run of one arm is better than a run of another.

P(X > Y) is the share of the pairs (x, y) with x > y, where a tie counts a half, for one task: "Deep Reinforcement
Learning at the Edge of the Statistical Precipice", Agarwal et al. 2021, https://arxiv.org/abs/2108.13264, section 4.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from framework.study.statistics import bootstrap_interval


@dataclass(frozen=True)
class Probability:
    """An estimated probability with its 95 % percentile bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """ "0.83 [0.56, 1.00]"."""
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def probability_of_improvement(better: Sequence[float | None], worse: Sequence[float | None]) -> Probability | None:
    """P(better > worse). None unless each side has at least two values and knows all of them.

    The two sides are resampled independently. The order of the values does not matter, and the result for the sides
    exchanged is exactly one minus this one.
    """
    x, y = (sorted(value for value in side if value is not None) for side in (better, worse))
    if len(x) < len(better) or len(y) < len(worse) or min(len(x), len(y)) < 2:
        return None
    value = float(_share(np.array(x), np.array(y)))
    if x == y:  # what is equal in distribution has no better side, and neither has its interval
        low, high = _bounds(x, y)
        reach = max(value - low, high - value)
        return Probability(value, value - reach, value + reach)
    # one order for both directions, so that both use the same resamples
    if (x, y) < (y, x):
        low, high = _bounds(x, y)
        return Probability(value, low, high)
    low, high = _bounds(y, x)
    return Probability(value, 1 - high, 1 - low)


def _bounds(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    low, high = bootstrap_interval([np.array(x, np.float64), np.array(y, np.float64)], _share)
    return float(low), float(high)


def _share(x: Any, y: Any, axis: int = -1) -> Any:
    """The share of the pairs that x wins, for x [..., N] and y [..., M]."""
    x, y = np.asarray(x)[..., :, None], np.asarray(y)[..., None, :]
    return ((x > y) + 0.5 * (x == y)).mean(axis=(-2, -1))
