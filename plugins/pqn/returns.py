"""λ-returns of a rollout (Gallici et al. 2024, eq. 8), computed backwards."""

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
        lane: the environment of each transition.
        discount: γ, or 0 where the episode terminated.
        next_value: max_a Q at the true successor; where the discount is 0, it is ignored.
        ended: true for the last transition of an episode, terminated or truncated.
    """
    one_step = reward + np.where(discount == 0, 0.0, discount * next_value)
    returns = one_step.copy()
    following: dict[int, int] = {}
    for row in range(len(lane) - 1, -1, -1):
        after = following.get(int(lane[row]))
        if after is not None and not ended[row]:
            # r + γ[(1 − λ)V + λG] = (r + γV) + γλ(G − V)
            returns[row] += discount[row] * lam * (returns[after] - next_value[row])
        following[int(lane[row])] = row
    return returns
