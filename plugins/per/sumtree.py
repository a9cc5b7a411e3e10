"""A sum tree in float64: it draws leaves in proportion to their weights, in logarithmic time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64


class SumTree:
    """`capacity` leaves, any number. All weights are 0 at first.

    Each inner node is computed again from its two children whenever one changes. It is never adjusted by a
    difference, so rounding errors do not accumulate.
    """

    def __init__(self, capacity: int) -> None:
        self._width = 1 << max(0, capacity - 1).bit_length()
        self._nodes = np.zeros(2 * self._width, np.float64)

    @property
    def total(self) -> float:
        """The sum of all leaves."""
        return float(self._nodes[1])

    def __getitem__(self, leaves: Int64[np.ndarray, " K"]) -> Float64[np.ndarray, " K"]:
        return self._nodes[leaves + self._width]

    def __setitem__(self, leaves: Int64[np.ndarray, " K"], weights: Float64[np.ndarray, " K"] | float) -> None:
        """Set weights, finite and at least 0. If a leaf occurs several times, its last weight counts."""
        nodes = leaves + self._width
        self._nodes[nodes] = weights
        for _ in range(self._width.bit_length() - 1):
            nodes = nodes >> 1  # siblings compute the same sum twice: that is cheaper than finding them
            self._nodes[nodes] = self._nodes[2 * nodes] + self._nodes[2 * nodes + 1]

    def find(self, prefixes: Float64[np.ndarray, " K"]) -> Int64[np.ndarray, " K"]:
        """Return the leaf that each prefix in [0, total] of the cumulative sum falls into; never one of weight 0."""
        nodes = np.ones(len(prefixes), np.int64)
        rest = prefixes.copy()
        for _ in range(self._width.bit_length() - 1):
            left = self._nodes[2 * nodes]
            # near the total, rounding could lead past the last leaf with a weight above 0
            right = (rest >= left) & (self._nodes[2 * nodes + 1] > 0)
            rest = np.where(right, rest - left, rest)
            nodes = 2 * nodes + right
        return nodes - self._width
