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


def test_columns_are_orthogonal_and_of_the_gains_length(assembled: Callable[..., Parts]) -> None:
    policy = assembled(f"dqn,{PLUGIN},chain", {"my_variant.gain": 2.0}).policy
    assert isinstance(policy, DQNPolicy)
    weight = next(parameter for name, parameter in policy.online.stream.named_parameters() if name.endswith("weight"))
    torch.testing.assert_close(weight.T @ weight, 4 * torch.eye(5))
