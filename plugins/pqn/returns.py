"""λ-returns of a rollout (Gallici et al. 2024, eq. 8), computed backwards, for all environments at once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64


def lambda_returns(
    lane: Int64[np.ndarray, " K"],
    reward: Float64[np.ndarray, " K"],
    discount: Float64[np.ndarray, " K"],
    next_value: Float64[np.ndarray, " K"],
    ended: Bool[np.ndarray, " K"],
    lam: float,
) -> Float64[np.ndarray, " K"]:
    """Return G of each of K transitions, which are in the order in which they were made.

    Args:
        lane: the environment of each transition. Environments may have made different numbers of transitions.
        discount: γ, or 0 where the episode terminated.
        next_value: max_a Q at the true successor; where the discount is 0, it is ignored.
        ended: true for the last transition of an episode, terminated or truncated.
    """
    one_step = reward + np.where(discount == 0, 0.0, discount * next_value)
    returns = one_step.copy()
    backwards = _backwards(lane)
    for row, after in zip(backwards[1:], backwards[:-1], strict=True):
        goes_on = (row >= 0) & ~ended[row]
        row, after = row[goes_on], after[goes_on]
        # r + γ[(1 − λ)V + λG] = (r + γV) + γλ(G − V)
        returns[row] += discount[row] * lam * (returns[after] - next_value[row])
    return returns


def _backwards(lane: Int64[np.ndarray, " K"]) -> Int64[np.ndarray, "T N"]:
    """Return the rows of N environments in N columns, the last row of each first; −1 fills shorter columns."""
    _, column, count = np.unique(lane, return_inverse=True, return_counts=True)
    rows = np.argsort(column, kind="stable")
    place = np.repeat(count.cumsum(), count) - 1 - np.arange(len(lane))
    backwards = np.full((count.max(initial=0), len(count)), -1, np.int64)
    backwards[place, column[rows]] = rows
    return backwards
