"""The history of a ring cut into segments that never change, so that a checkpoint writes only the newest."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from jaxtyping import Int64


class Cuts:
    """Where the lanes of a ring were cut: a segment is what every lane got between two cuts.

    A cut is the position of each lane's newest frame then, −1 before the first.
    """

    def __init__(self, lanes: int, length: int) -> None:
        self._length = length
        self.positions: list[Int64[np.ndarray, " N"]] = [np.full(lanes, -1)]

    def cut(
        self, head: Int64[np.ndarray, " N"], most: int
    ) -> Mapping[str, tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"]]]:
        """Cut at the heads. The segments of which something is left: name → (without, up to) in each lane.

        A name is how many frames had come by the end of the segment.

        Args:
            head: the newest position of each lane.
            most: frames of one lane in a segment.
        """
        gone = head - self._length
        while len(self.positions) > 1 and (self.positions[1] <= gone).all():
            del self.positions[0]
        while (self.positions[-1] < head).any():
            self.positions.append(np.minimum(np.maximum(self.positions[-1], gone) + most, head))
        return {str(int((after + 1).sum())): (before, after) for before, after in pairwise(self.positions)}


def each(
    first: Int64[np.ndarray, " N"], count: Int64[np.ndarray, " N"]
) -> tuple[Int64[np.ndarray, " K"], Int64[np.ndarray, " K"]]:
    """(row, first[row] + i) for each i < count[row], row by row."""
    rows = np.repeat(np.arange(len(count)), count)
    return rows, first[rows] + np.arange(len(rows)) - (np.cumsum(count) - count)[rows]
