"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks
from framework.types import Counters

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_updates_become_more_frequent(assembled: Callable[..., Parts]) -> None:
    values = {"learning.starts": 100, "learning.updates_per_step": 2.0, "my_variant.horizon": 10}
    cadence = assembled(f"tabular,{PLUGIN},chain", values).cadence
    due = [cadence.due(Counters(env_steps=100 + steps)) for steps in (0, 5, 10, 11, 12)]
    assert due == [0, 2, 10, 12, 14]
