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


def test_it_learns_the_chain(trained: Callable[..., Parts]) -> None:
    agent = trained(f"dqn,{PLUGIN},chain", {"run.steps": 3_000})
    assert agent.act(np.array([1, 2, 3])).tolist() == [1, 1, 1], "the agent walks towards the reward"
