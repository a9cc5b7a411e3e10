"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks
from framework.types import Counters
from plugins.dqn.agent import DQNPolicy

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_a_stride_goes_its_share_of_the_way_once_a_period(assembled: Callable[..., Parts]) -> None:
    parts = assembled(f"dqn,{PLUGIN},chain", {"my_variant.every": 10, "my_variant.share": 0.25})
    policy = parts.policy
    assert isinstance(policy, DQNPolicy)
    online, target = (next(network.parameters()) for network in (policy.online, policy.target))
    with torch.no_grad():
        online.fill_(8.0)
        target.fill_(0.0)
    for updates, wanted in ((9, 0.0), (10, 2.0), (10, 2.0), (20, 3.5)):
        parts.target_sync.tick(Counters(updates=updates))
        assert (target == wanted).all()
