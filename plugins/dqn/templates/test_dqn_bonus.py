"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks
from plugins.dqn.head import Values

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_only_the_best_action_costs_nothing(assembled: Callable[..., Parts]) -> None:
    parts = assembled(f"dqn,{PLUGIN},chain", {"my_variant.alpha": 0.5})
    bonus = parts.slots.constructor("dqn_bonus", config=parts.config)
    values = Values(torch.tensor([[1.0, 3.0], [1.0, 3.0]]))
    found = bonus(lambda: values, torch.tensor([0, 1]), values, torch.ones(2))
    assert found.tolist() == [-1, 0]
