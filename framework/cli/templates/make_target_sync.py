"""A target network that moves part of the way to the online network, once in a fixed number of updates.

target ← τ · online + (1 − τ) · target. With τ = 1 it is DQN's exact copy. After every update and with a small τ, it is
the plugin `polyak`.
"""

from __future__ import annotations

from collections.abc import Sequence

from framework.config import Config, Field, Section
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.types import Counters, Policy, State, Targeted, TargetSync

CHECK_WITH = "dqn,chain"
"""The plugins that the command `check` adds, so that the composition is complete."""


class MyVariantOptions(Section, name="my_variant"):
    """How often the target network moves, and how far."""

    every: int = Field(50, ge=1, description="updates between two moves of the target network")
    share: float = Field(0.5, gt=0, le=1, description="τ: the share of the way to the online network in one move")


class MyVariantSync:
    """The loop calls `tick` after each update *and* after each step. So it counts periods, and moves once in each."""

    def __init__(self, policy: Targeted, every: int, share: float) -> None:
        self._policy, self._every, self._share = policy, every, share
        self._passed = 0

    def tick(self, counters: Counters) -> None:
        passed = counters.updates // self._every
        if passed > self._passed:
            self._passed = passed
            self._policy.update_target(self._share)

    def state_dict(self) -> State:
        return {"passed": self._passed}

    def load_state_dict(self, state: State) -> None:
        self._passed = int(state["passed"])


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_target_sync(policy: Policy, config: Config) -> TargetSync:
    if not isinstance(policy, Targeted):
        raise UsageError(f"my_variant needs a policy with a target network; {type(policy).__name__} has none")
    options = config[MyVariantOptions]
    return MyVariantSync(policy, options.every, options.share)
