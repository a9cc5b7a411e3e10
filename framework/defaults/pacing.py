"""When updates are due, and when the target network follows. Both depend only on the run's counters."""

from __future__ import annotations

from dataclasses import dataclass

from framework.types import Counters, State, Targeted, Unit


@dataclass(frozen=True)
class ReplayRatio:
    """No updates in the first `starts` environment steps, then `updates_per_step` updates for each step."""

    batch_size: int
    starts: int
    updates_per_step: float
    overlap: bool

    def due(self, counters: Counters) -> int:
        return int(max(0, counters.env_steps - self.starts) * self.updates_per_step)


class HardSync:
    """Copies the online network to the target network each time that `counters[unit]` passes a multiple of `every`.

    It counts the multiples that were passed and does not test a remainder, so the period stays exact when several
    environments step at once. Several multiples passed at once are one copy.
    """

    def __init__(self, policy: Targeted, every: int, unit: Unit) -> None:
        self._policy, self._every, self._unit = policy, every, unit
        self._passed = 0

    def tick(self, counters: Counters) -> None:
        passed = counters[self._unit] // self._every
        if passed > self._passed:
            self._passed = passed
            self._policy.update_target(1.0)

    def state_dict(self) -> State:
        return {"passed": self._passed}

    def load_state_dict(self, state: State) -> None:
        self._passed = int(state["passed"])


class NoSync:
    """For policies without a target network."""

    def tick(self, counters: Counters) -> None:
        """There is no target network to update."""
