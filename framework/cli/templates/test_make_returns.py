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


def test_a_window_ends_with_the_first_reward(assembled: Callable[..., Parts]) -> None:
    """Rewards after the first one that is not 0 belong to the next window."""
    values = {"returns.gamma": 0.5, "my_variant.longest": 3}
    returns = assembled(f"tabular,{PLUGIN},chain", values).returns
    assert returns is not None
    reward = np.array([[0.0, 4.0, 1.0], [0.0, 0.0, 0.0], [2.0, 1.0, 1.0]])
    none = np.zeros((3, 3), np.bool_)
    found, discount, length = returns.fold(reward, none, none)
    assert found.tolist() == [2, 0, 2]
    assert discount.tolist() == [0.25, 0.125, 0.5]
    assert length.tolist() == [2, 3, 1]
