"""Soft updates of the target network (polyak)."""

from __future__ import annotations

import numpy as np
import pytest

from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.training.loop import Loop
from framework.types import Counters
from plugins.polyak import SoftSync


class TargetSpy:
    """A policy that records how far its target network was moved."""

    def __init__(self) -> None:
        self.fractions: list[float] = []

    def update_target(self, fraction: float) -> None:
        self.fractions.append(fraction)


def test_a_soft_target_moves_once_an_update() -> None:
    policy = TargetSpy()
    sync = SoftSync(policy, 0.25)
    counters = Counters()
    for _ in range(5):
        counters.env_steps += 3
        sync.tick(counters)
        counters.updates += 1
        sync.tick(counters)
        sync.tick(counters)
    assert policy.fractions == [0.25] * 5


def test_tau_one_is_a_copy_after_each_update() -> None:
    parts = assemble("dqn,polyak,chain", {"run.steps": 60, "learning.starts": 20, "polyak.tau": 1.0})
    Loop(parts).run()
    state = parts.policy.state_dict()
    assert parts.counters.updates > 5
    assert all(np.array_equal(state["online"][name], state["target"][name]) for name in state["online"])


def test_a_policy_without_a_target_is_refused() -> None:
    with pytest.raises(UsageError, match="polyak needs a policy with a target network; QTable has none"):
        assemble("tabular,polyak,chain")
