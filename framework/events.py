"""What a run tells those who listen to it: its moments, episodes that ended, and evaluations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from framework.types import Batch, Counters, Step, TDErrors


class Callback:
    """Listens to a run. Override the events of interest; the others cost nothing."""

    def on_start(self, counters: Counters) -> None:
        """Before the first step."""

    def on_step(self, step: Step, counters: Counters) -> None:
        """After each step of the environments, counted."""

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        """After each gradient update, counted."""

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        """After each training episode."""

    def on_evaluation_start(self, counters: Counters) -> None:
        """Before each periodic evaluation, and the confirmation that may follow it."""

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        """After each periodic evaluation; where it was to be confirmed, with both results in turn."""

    def on_end(self, counters: Counters) -> None:
        """Once, however the run ends."""


@dataclass(frozen=True)
class Episode:
    """A finished episode: its number in the run (from 1), raw undiscounted return and length in environment steps."""

    number: int
    env_id: int
    raw_return: float
    length: int


@dataclass(frozen=True)
class EvaluationResult:
    """Raw returns and lengths of a fixed quota of episodes, the same for each evaluation environment."""

    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    distinct: int
    """Number of different games among them (by actions, rewards and length)."""
    epsilon: float
    seconds: float

    @property
    def mean(self) -> float:
        return float(np.mean(self.returns))

    @property
    def deviation(self) -> float:
        return float(np.std(self.returns))
