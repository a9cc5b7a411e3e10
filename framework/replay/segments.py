"""Cuts the history of a ring into segments that never change, so that a checkpoint writes only the new ones."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from jaxtyping import Int64


class Cuts:
    """Where the lanes of a ring were cut. A segment holds the frames that all lanes received between two cuts.

    A cut is the position of the newest frame of each lane at that time, −1 before the first frame.
    """

    def __init__(self, lanes: int, length: int) -> None:
        self._length = length
        self.positions: list[Int64[np.ndarray, " N"]] = [np.full(lanes, -1)]

    def cut(
        self, head: Int64[np.ndarray, " N"], most: int
    ) -> Mapping[str, tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"]]]:
        """Cut at the heads. Return the segments of which the ring still holds frames: name → (after, up to).

        A segment holds the positions of each lane after the first array up to and including the second. Its name is
        the number of frames that all lanes had received by its end.

        Args:
            head: the newest position of each lane.
            most: the largest number of frames of one lane in a segment.
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
