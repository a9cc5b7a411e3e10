"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks
from plugins.dqn.agent import DQNPolicy

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_there_is_a_layer_for_each_width_and_one_for_the_actions(assembled: Callable[..., Parts]) -> None:
    policy = assembled(f"dqn,{PLUGIN},chain", {"my_variant.widths": (7, 3)}).policy
    assert isinstance(policy, DQNPolicy)
    shapes = [tuple(parameter.shape) for parameter in policy.online.stream.parameters() if parameter.ndim == 2]
    assert shapes == [(7, 5), (3, 7), (2, 3)]
