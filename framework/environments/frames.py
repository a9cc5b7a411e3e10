"""Frame stacks, where an environment declares one: what stands where before an episode's first frame.

The one rule that acting and sampling share: slot j of a stack of k holds the frame k − 1 − j steps ago,
oldest first; steps before the episode began repeat its first frame ("repeat") or are zeros ("zero").
"""

from __future__ import annotations

from typing import Any, Literal

import gymnasium
import numpy as np
from jaxtyping import Bool, Int64, Shaped

Padding = Literal["repeat", "zero"]


def stacked_space(frame: gymnasium.Space[Any], k: int) -> gymnasium.Space[Any]:
    """The space of k stacked frames: a Box of shape (k, *frame), or the frame's own space for k = 1."""
    if k == 1:
        return frame
    assert isinstance(frame, gymnasium.spaces.Box)
    low, high = (np.broadcast_to(bound, (k, *frame.shape)) for bound in (frame.low, frame.high))
    return gymnasium.spaces.Box(low, high, dtype=frame.dtype.type)


def window(
    positions: Int64[np.ndarray, " B"], ages: Int64[np.ndarray, " B"], k: int
) -> tuple[Int64[np.ndarray, "B k"], Bool[np.ndarray, "B k"]]:
    """Where the k frames of each stack lie, and which of them are padding.

    Args:
        positions: of the newest frame of each stack.
        ages: how many frames of the same episode stand before it, at least min(age, k − 1).
    """
    wanted = positions[:, None] + np.arange(1 - k, 1)
    earliest = (positions - ages)[:, None]
    return np.maximum(wanted, earliest), wanted < earliest


class FrameStack:
    """The stacks of N environments that are acting now. `observations` is a fresh array after each push."""

    def __init__(self, k: int, padding: Padding) -> None:
        self._k = k
        self._padding = padding
        self.observations: Shaped[np.ndarray, "N *obs"] = np.empty(0)

    def push(self, frames: Shaped[np.ndarray, "N *frame"], first: Bool[np.ndarray, " N"]) -> None:
        """Add each environment's newest frame; where `first`, its episode begins with it."""
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
