"""A sum tree in float64: leaves with weights, drawn in proportion to them in logarithmic time."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64


class SumTree:
    """`capacity` leaves, any number, all 0 at first.

    Each inner node is recomputed from its two children whenever one changes, never adjusted by a
    difference, so that rounding cannot pile up.
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
        """Weights are finite and at least 0. Of equal leaves, the last weight stays."""
        nodes = leaves + self._width
        self._nodes[nodes] = weights
        for _ in range(self._width.bit_length() - 1):
            nodes = nodes >> 1  # of siblings, both compute the same sum: that is cheaper than finding them
            self._nodes[nodes] = self._nodes[2 * nodes] + self._nodes[2 * nodes + 1]

    def find(self, prefixes: Float64[np.ndarray, " K"]) -> Int64[np.ndarray, " K"]:
        """The leaf in whose share of the running sum each prefix, in [0, total], lies; never one of weight 0."""
        nodes = np.ones(len(prefixes), np.int64)
        rest = prefixes.copy()
        for _ in range(self._width.bit_length() - 1):
            left = self._nodes[2 * nodes]
            # at the very end of the sum, rounding may point behind the last leaf that weighs anything
            right = (rest >= left) & (self._nodes[2 * nodes + 1] > 0)
            rest = np.where(right, rest - left, rest)
            nodes = 2 * nodes + right
        return nodes - self._width
