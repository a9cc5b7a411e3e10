"""Learning without a separate target network: after each update, the target is a copy of the online network."""

from __future__ import annotations

from collections.abc import Sequence

from framework.conformance.check import Check
from framework.defaults.pacing import HardSync
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.types import Policy, Targeted, TargetSync


@hookimpl
def make_target_sync(policy: Policy) -> TargetSync:
    if not isinstance(policy, Targeted):
        raise UsageError(f"online needs a policy with a target network; {type(policy).__name__} has none: drop online")
    return HardSync(policy, every=1, unit="updates")


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.polyak.checks import online_copies_after_each_update

    return [online_copies_after_each_update]
