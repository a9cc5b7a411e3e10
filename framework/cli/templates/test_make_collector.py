"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_greedy_actions_are_counted(trained: Callable[..., Parts]) -> None:
    values = {"run.steps": 40, "exploration.start": 0.0, "exploration.final": 0.0}
    collector = trained(f"tabular,{PLUGIN},chain", values).collector
    assert vars(collector)["actions"] == vars(collector)["greedy"] == 40
