"""A soft target network (Lillicrap et al. 2016): after each update, target ← τ · online + (1 − τ) · target.

Paper → here (Lillicrap et al. 2016, section 7):

| option | paper | here | why |
| --- | --- | --- | --- |
| `polyak.tau` | 0.001 | 0.005 | as in later agents (Haarnoja et al. 2018) |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from framework.config import Config, Field, Section
from framework.conformance.check import Check, Purpose
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.types import Counters, Policy, State, Targeted, TargetSync


class PolyakOptions(Section, name="polyak", searched={"tau": "log(0.001, 0.1)"}):
    """How fast the target network follows the online network."""

    tau: float = Field(0.005, gt=0, le=1, description="τ: weight of the online network after each update; 1 is a copy")


class SoftSync:
    """Moves the target network once after each update."""

    def __init__(self, policy: Targeted, tau: float) -> None:
        self._policy, self._tau = policy, tau
        self._seen = 0

    def tick(self, counters: Counters) -> None:
        if counters.updates > self._seen:
            self._seen = counters.updates
            self._policy.update_target(self._tau)

    def state_dict(self) -> State:
        return {"seen": self._seen}

    def load_state_dict(self, state: State) -> None:
        self._seen = int(state["seen"])


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [PolyakOptions]


@hookimpl
def make_target_sync(policy: Policy, config: Config) -> TargetSync:
    if not isinstance(policy, Targeted):
        raise UsageError(f"polyak needs a policy with a target network; {type(policy).__name__} has none: drop polyak")
    return SoftSync(policy, config[PolyakOptions].tau)


@hookimpl
def conformance_values(purpose: Purpose) -> Mapping[str, Any]:
    return {"polyak.tau": 0.1} if purpose == "learning" else {}


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.polyak.checks import polyak_moves_by_tau_after_each_update

    return [polyak_moves_by_tau_after_each_update]
