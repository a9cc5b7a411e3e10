"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks
from framework.types import Batch, Counters

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_the_mean_of_the_next_actions_takes_part(assembled: Callable[..., Parts]) -> None:
    parts = assembled(f"tabular,{PLUGIN},chain", {"my_variant.caution": 0.5})
    parts.policy.load_state_dict({"table": np.tile([0.0, 4.0], (5, 1))})
    one = np.ones(1)
    state = np.array([2])
    batch = Batch(
        ids=state, obs=state, action=np.array([0]), reward=one, discount=0.5 * one, weights=one,
        read_next_obs=lambda: state, read_next_action=lambda: np.array([1]),
    )  # fmt: skip
    # the value of the next state is (4 + 2) / 2 = 3, so the target is 1 + 0.5 · 3
    assert parts.loss(batch, Counters()).priority.tolist() == [2.5]
