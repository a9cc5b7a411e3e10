"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_every_entry_is_near_the_optimism(assembled: Callable[..., Parts]) -> None:
    values = {"my_variant.optimism": 5.0, "my_variant.spread": 0.5}
    policy = assembled(f"tabular,{PLUGIN},chain", values).policy
    found = policy.action_values(np.arange(5), explore=True)
    assert np.abs(found - 5).max() <= 0.5
    assert len(np.unique(found)) == found.size, "no two entries are the same"
