"""The variant, put through every check that applies to it, and an example of what it does."""

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
    assert agent.act(np.array([1, 2, 3])).tolist() == [1, 1, 1], "towards the prize"
