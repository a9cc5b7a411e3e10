"""A target that follows in strides: every so many updates, it goes a share of the way to the online network.

target ← τ · online + (1 − τ) · target. τ = 1 is DQN's copy; every single update, with a small τ, is `polyak`.
"""

from __future__ import annotations

from collections.abc import Sequence

from framework.config import Config, Field, Section
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.types import Counters, Policy, State, Targeted, TargetSync

CHECK_WITH = "dqn,chain"
"""What the command `check` adds to this plugin."""


class MyVariantOptions(Section, name="my_variant"):
    """How often, and how far."""

    every: int = Field(50, ge=1, description="updates between two strides")
    share: float = Field(0.5, gt=0, le=1, description="τ: the share of the way that a stride goes")


class MyVariantSync:
    """`tick` is called after each update *and* after each step, so it counts the periods that have passed."""

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
