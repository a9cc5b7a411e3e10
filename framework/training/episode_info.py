"""Metrics of episodes from the numbers in the environments' `info` (the option record.info)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from framework.errors import listed
from framework.options import SUM
from framework.types import State, Step

Metrics = Mapping[str, float | None]
"""Metric → its number in an episode; None if the episode gave none."""


class InfoMetrics:
    """Makes the metrics of each episode of N environments.

    The metric "key" is the number in the `info` of the episode's last step. "sum:key" is the sum over the episode's
    steps; a step without a number adds nothing.
    """

    def __init__(self, metrics: Iterable[str], num_envs: int) -> None:
        """
        Args:
            metrics: keys of `info`, some with the prefix "sum:".
        """
        self.names = tuple(dict.fromkeys(metrics))
        self._sums = {name: np.full(num_envs, np.nan) for name in self.names if name.startswith(SUM)}
        self._unseen = {name.removeprefix(SUM) for name in self.names}

    def add(self, step: Step) -> None:
        """Add a step, before `end` is called for the episodes that it ends."""
        for name, sums in self._sums.items():
            numbers = step.info.get(name.removeprefix(SUM))
            if numbers is not None:
                here = ~np.isnan(numbers)
                rows = step.env_id[here]
                sums[rows] = np.nan_to_num(sums[rows], nan=0.0) + numbers[here]
        self._unseen = {key for key in self._unseen if np.isnan(step.info.get(key, np.nan)).all()}

    def end(self, step: Step, row: int) -> Metrics:
        """The metrics of the episode that ends in this row."""
        env_id, found = int(step.env_id[row]), dict[str, float | None]()
        for name in self.names:
            if name in self._sums:
                number = float(self._sums[name][env_id])
                self._sums[name][env_id] = np.nan
            else:
                number = float(step.info[name][row]) if name in step.info else np.nan
            found[name] = None if np.isnan(number) else number
        return found

    def forget(self, env_ids: Any = slice(None)) -> None:
        """Drop the sums of the running episodes, of all environments or of these."""
        for sums in self._sums.values():
            sums[env_ids] = np.nan

    def complaints(self, keys: Sequence[str]) -> list[str]:
        """One message for each key that no step had.

        Args:
            keys: those that `info` had.
        """
        had = f"it had {listed(keys)}" if keys else "it had no keys"
        return [
            f"record.info names {key!r}, which the environment's info never had; {had}: correct the name or drop it"
            for key in sorted(self._unseen)
        ]

    def state_dict(self) -> State:
        return {"sums": {name: sums.copy() for name, sums in self._sums.items()}, "unseen": sorted(self._unseen)}

    def load_state_dict(self, state: State) -> None:
        for name, sums in self._sums.items():
            sums[:] = state["sums"][name]
        self._unseen = set(state["unseen"])


def by_metric(episodes: Sequence[Metrics]) -> dict[str, tuple[float | None, ...]]:
    """Each metric → its numbers in these episodes."""
    names = dict.fromkeys(name for episode in episodes for name in episode)
    return {name: tuple(episode[name] for episode in episodes) for name in names}
