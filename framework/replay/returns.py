"""Folds windows of rewards into n-step returns."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64


class NStepReturns:
    """R = Σ_{j<k} γ^j r_{t+j}, with discount γ^k for the bootstrap after k ≤ n steps (Sutton & Barto 2018, eq. 7.1).

    A window ends with its episode, so k may be less than n. If the episode *terminated*, the discount is 0, so that
    nothing is bootstrapped. If it was *truncated*, the bootstrap is from its last observation. n = 1 gives
    Q-learning's target.
    """

    def __init__(self, gamma: float, n: int = 1) -> None:
        self.gamma = gamma
        self.horizon = n
        self._powers = gamma ** np.arange(n + 1, dtype=np.float64)

    def fold(
        self,
        reward: Float64[np.ndarray, "B n"],
        terminated: Bool[np.ndarray, "B n"],
        truncated: Bool[np.ndarray, "B n"],
    ) -> tuple[Float64[np.ndarray, " B"], Float64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
        """(return, γ^k or 0, k) of each window; see `framework.types.Returns`."""
        ended = terminated | truncated
        used = np.ones_like(ended)
        used[:, 1:] = np.cumsum(ended[:, :-1], axis=1) == 0
        length = used.sum(axis=1)
        returns = np.where(used, reward, 0.0) @ self._powers[:-1]
        discount = np.where((terminated & used).any(axis=1), 0.0, self._powers[length])
        return returns, discount, length
