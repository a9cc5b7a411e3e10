"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks
from plugins.dqn.agent import DQNPolicy

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_states_become_features_of_the_width(assembled: Callable[..., Parts]) -> None:
    policy = assembled(f"dqn,{PLUGIN},chain", {"my_variant.width": 12}).policy
    assert isinstance(policy, DQNPolicy)
    assert policy.online.torso(torch.arange(5)).shape == (5, 12)
