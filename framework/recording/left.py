"""How long a run still takes: an estimate from its speed so far."""

from __future__ import annotations

import time
from collections.abc import Callable

from framework.types import Counters

SETTLED = 5.0
"""Seconds before the first estimate."""


class TimeLeft:
    """Estimates when the run reaches its number of steps or episodes, whichever is first.

    The speed is that since the run started or was resumed, with its evaluations. When an evaluation reaches
    `run.until` is not known, so a run may end earlier.
    """

    def __init__(
        self, steps: int | None = None, episodes: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Args:
        steps: environment steps at which the run ends; None for no such end.
        episodes: episodes at which the run ends; None for no such end.
        clock: seconds.
        """
        self._steps, self._episodes, self._clock = steps, episodes, clock
        self._start: tuple[float, int, int] | None = None

    def begin(self, counters: Counters) -> None:
        """The run starts here."""
        self._start = (self._clock(), counters.env_steps, counters.episodes)

    def seconds(self, counters: Counters) -> float | None:
        """The seconds that are left; None if that is not known, or not yet."""
        if self._start is None:
            return None
        began, steps, episodes = self._start
        elapsed = self._clock() - began
        if elapsed < SETTLED:
            return None
        ways = ((self._steps, steps, counters.env_steps), (self._episodes, episodes, counters.episodes))
        estimates = [
            elapsed * max(0, end - now) / (now - before)
            for end, before, now in ways
            if end is not None and now > before
        ]
        return min(estimates, default=None)

    def describe(self, counters: Counters) -> str:
        """In words: "about 3 min left"; empty if it is not known."""
        seconds = self.seconds(counters)
        if seconds is None:
            return ""
        for unit, length in (("h", 3600), ("min", 60)):
            if seconds >= 1.5 * length:
                return f"about {seconds / length:.0f} {unit} left"
        return f"about {seconds:.0f} s left"
