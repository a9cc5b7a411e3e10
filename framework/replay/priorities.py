"""The priorities with which transitions begin, where whoever collected them has computed some."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from framework.types import Sampler


class InitialPriorities:
    """One for each slot of a replay; NaN: the sampler's own. Without a step that has any, it takes no memory."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._priority: Float64[np.ndarray, " slots"] | None = None

    def set(self, slot: Int64[np.ndarray, " M"], priority: Float64[np.ndarray, " M"] | None) -> None:
        """Remember those of the transitions that start at these slots; None: they have none."""
        if priority is None and self._priority is None:
            return
        if self._priority is None:
            self._priority = np.full(self._slots, np.nan)
        self._priority[slot] = np.nan if priority is None else priority

    def give(self, sampler: Sampler, ids: Int64[np.ndarray, " K"], slot: Int64[np.ndarray, " K"]) -> None:
        """Tell the sampler those of transitions that have just become active."""
        if self._priority is None:
            return
        priority = self._priority[slot]
        known = ~np.isnan(priority)
        sampler.reprioritize(ids[known], priority[known])
