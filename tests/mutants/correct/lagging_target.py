"""A target that follows softly (Lillicrap et al. 2016), at every fourth update, by as much as four would have moved it.

Its bookkeeping is a countdown of updates, not a quotient of the clock.
"""

from __future__ import annotations

from collections.abc import Sequence

from framework.config import Config, Field, Section
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.types import Counters, Policy, State, Targeted, TargetSync

CHECK_WITH = "dqn,chain"


class LaggingOptions(Section, name="lagging"):
    """How fast the target follows."""

    rate: float = Field(0.02, gt=0, lt=1, description="share of the online network that one update brings in")
    pause: int = Field(4, ge=1, description="updates between two movements of the target")


class Lagging:
    def __init__(self, policy: Targeted, rate: float, pause: int) -> None:
        self.policy, self.rate, self.pause = policy, rate, pause
        self.known = 0
        self.left = pause

    def tick(self, counters: Counters) -> None:
        made = counters.updates - self.known
        self.known = counters.updates
        self.left -= made
        moves = 0
        while self.left <= 0:
            self.left += self.pause
            moves += self.pause
        if moves:
            self.policy.update_target(1.0 - (1.0 - self.rate) ** moves)

    def state_dict(self) -> State:
        return {"countdown": {"left": self.left, "known": self.known}}

    def load_state_dict(self, state: State) -> None:
        self.left, self.known = int(state["countdown"]["left"]), int(state["countdown"]["known"])


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [LaggingOptions]


@hookimpl
def make_target_sync(policy: Policy, config: Config) -> TargetSync:
    if not isinstance(policy, Targeted):
        raise UsageError("lagging_target needs a policy with a target")
    options = config[LaggingOptions]
    return Lagging(policy, options.rate, options.pause)
