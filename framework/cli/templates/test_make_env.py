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


def test_walking_right_pays_one_at_the_end(assembled: Callable[..., Parts]) -> None:
    stream = assembled(f"tabular,{PLUGIN}", {"my_variant.cells": 4, "my_variant.slip": 0.0}).stream
    rewards, ends = [], []
    for _ in range(3):
        stream.begin(np.array([1]))
        step = stream.finish()
        rewards.append(step.reward[0])
        ends.append(step.terminated[0])
    assert rewards == [0, 0, 1]
    assert ends == [False, False, True]
