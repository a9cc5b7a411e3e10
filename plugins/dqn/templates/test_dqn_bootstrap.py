"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

import math
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


def test_the_temperature_says_how_much_the_second_best_counts(assembled: Callable[..., Parts]) -> None:
    parts = assembled(f"dqn,{PLUGIN},chain", {"my_variant.temperature": 0.5})
    bootstrap = parts.slots.constructor("dqn_bootstrap", config=parts.config)
    values = Values(torch.tensor([[0.0, 0.5 * math.log(3)]]))
    found = bootstrap(Values(torch.zeros(1, 2)), lambda: values)
    torch.testing.assert_close(found, torch.tensor([[0.25, 0.75]]))
