"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks
from framework.types import Counters

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_new_transitions_come_more_often_and_weigh_less(assembled: Callable[..., Parts]) -> None:
    """The weights undo the preference for new transitions."""
    values = {"my_variant.newest": 2, "my_variant.share": 0.5}
    sampler = assembled(f"dqn,{PLUGIN},chain", values).sampler
    assert sampler is not None
    sampler.activate(np.arange(10))
    ids, weights = sampler.sample(2_000, Counters())
    new = ids >= 8
    assert 0.5 < new.mean() < 0.7, "0.5 from the new ones, plus 0.2 of the other half"
    # a new transition has the probability 0.05 + 0.25, an old one 0.05
    np.testing.assert_allclose(weights, np.where(new, 1 / 6, 1.0))
