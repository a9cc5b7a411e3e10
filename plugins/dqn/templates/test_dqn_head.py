"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks
from plugins.dqn.agent import DQNPolicy
from plugins.dqn.head import Values

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_small_errors_are_squared_and_large_ones_are_not(assembled: Callable[..., Parts]) -> None:
    """The loss is quadratic near 0 and linear far from it."""
    policy = assembled(f"dqn,{PLUGIN},chain", {"my_variant.scale": 2.0}).policy
    assert isinstance(policy, DQNPolicy)
    error = torch.tensor([0.01, 100.0])
    nothing = Values(torch.zeros(2, 3))
    loss, priority = policy.online.head.loss(
        nothing, torch.tensor([0, 1]), nothing, torch.full((2, 3), 1 / 3), reward=error, discount=torch.ones(2)
    )
    torch.testing.assert_close(loss, torch.tensor([0.01**2 / 2, 2 * 100 - 4 * math.log(2)]), rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(priority, error)
