"""Frame stacks, for environments that declare one.

Acting and sampling follow the same rule. Entry j of a stack of k is the frame of k − 1 − j steps ago, so the oldest
comes first. Entries from before the episode repeat its first frame ("repeat") or are zeros ("zero").
"""

from __future__ import annotations

from typing import Any, Literal

import gymnasium
import numpy as np
from jaxtyping import Bool, Int64, Shaped

from framework.spaces import Record

Padding = Literal["repeat", "zero"]


def stacked_space(frame: gymnasium.Space[Any], k: int) -> gymnasium.Space[Any]:
    """The space of k stacked frames: shape (k, *frame), or the frame's own space for k = 1.

    Args:
        frame: a Box, or for k > 1 the record of a Box and a mask.
    """
    if k == 1:
        return frame
    if isinstance(frame, Record):
        return Record({name: stacked_space(leaf, k) for name, leaf in frame.leaves.items()}, frame.actions, k)
    assert isinstance(frame, gymnasium.spaces.Box)
    low, high = (np.broadcast_to(bound, (k, *frame.shape)) for bound in (frame.low, frame.high))
    return gymnasium.spaces.Box(low, high, dtype=frame.dtype.type)


def window(
    positions: Int64[np.ndarray, " B"], ages: Int64[np.ndarray, " B"], k: int
) -> tuple[Int64[np.ndarray, "B k"], Bool[np.ndarray, "B k"]]:
    """The positions of the k frames of each stack, and which of them are padding.

    Args:
        positions: the position of the newest frame of each stack.
        ages: the number of earlier frames of its episode; numbers above k − 1 may be given as k − 1.
    """
    wanted = positions[:, None] + np.arange(1 - k, 1)
    earliest = (positions - ages)[:, None]
    return np.maximum(wanted, earliest), wanted < earliest


class FrameStack:
    """The current stacks of N environments. Each push makes a new array of `observations` and leaves the old one."""

    def __init__(self, k: int, padding: Padding) -> None:
        self._k = k
        self._padding = padding
        self.observations: Shaped[np.ndarray, "N *obs"] = np.empty(0)

    def push(self, frames: Shaped[np.ndarray, "N *frame"], first: Bool[np.ndarray, " N"]) -> None:
        """Add the newest frame of each environment. `first` marks those whose episode begins with this frame."""
        if self._k == 1:
            self.observations = frames
            return
        newest = frames[:, None]
        if first.all():
            older = np.repeat(newest, self._k - 1, axis=1)
        else:
            older = self.observations[:, 1:]
        self.observations = np.concatenate([older, newest], axis=1)
        for env_id in np.flatnonzero(first):
            self.observations[env_id, :-1] = 0 if self._padding == "zero" else frames[env_id]
