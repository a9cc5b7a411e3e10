"""How much the best of several trials overstates: the trial that looks best was also lucky."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def expected_maximum(count: int) -> float:
    """The expected maximum of so many independent standard normal numbers, ∫ x n φ(x) Φ(x)^(n−1) dx."""
    if count < 2:
        return 0.0
    from scipy.integrate import quad  # type: ignore[import-untyped]

    def weighted(x: float) -> float:
        below = 0.5 * math.erfc(-x / math.sqrt(2))
        return x * count * math.exp(-x * x / 2) / math.sqrt(2 * math.pi) * below ** (count - 1)

    return float(quad(weighted, -10.0, 12.0, limit=200)[0])


def scatter(trials: Sequence[Sequence[float]]) -> float | None:
    """The standard deviation of the objective between seeds, pooled over trials; None without two seeds anywhere."""
    several = [np.asarray(values, np.float64) for values in trials if len(values) > 1]
    if not several:
        return None
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in several)
    return math.sqrt(squares / sum(len(values) - 1 for values in several))


def overstatement(trials: Sequence[Sequence[float]], count: int) -> float | None:
    """By how much the best of `count` equally good trials would overstate, on average; None if it is unknown.

    Each trial's value is the mean over its seeds, with an error of σ/√seeds. The best of n such values lies that
    error times the expected maximum of n standard normal numbers above the common truth.

    Args:
        trials: the objective of each seed, for each complete trial. All have the same number of seeds.
        count: the trials that competed, the pruned ones included.
    """
    sigma = scatter(trials)
    if sigma is None:
        return None
    return sigma / math.sqrt(max(len(values) for values in trials)) * expected_maximum(count)
