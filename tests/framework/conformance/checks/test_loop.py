"""The checks of the loop on two collectors: one is correct, and one acts on the values of older observations."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.conformance.checks.loop.events import actions_are_the_ones_chosen
from framework.conformance.runner.execution import run_check
from framework.conformance.subject import Subject

COLLECTOR = """
import numpy as np
from framework.hooks import hookimpl

class Mine:
    def __init__(self, stream, policy, exploration):
        self.stream, self.policy, self.exploration = stream, policy, exploration
        self.before = None

    def begin(self, counters):
        obs = self.stream.observations
        values = self.policy.action_values(obs, explore=True)
        self.stream.begin({act})
        self.before = values

    def finish(self):
        return self.stream.finish()

@hookimpl
def make_collector(stream, policy, exploration):
    return Mine(stream, policy, exploration)
"""

ONE_BY_ONE = (
    "np.concatenate([self.exploration.choose(values[i:i + 1], obs[i:i + 1], counters) for i in range(len(obs))])"
)
LATE = "self.exploration.choose(values if self.before is None else self.before, obs, counters)"


@pytest.mark.parametrize(("act", "verdict"), [(ONE_BY_ONE, "passed"), (LATE, "failed")])
def test_values_are_used_for_the_observations_that_they_are_of(act: str, verdict: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(COLLECTOR.format(act=act))
    found = run_check(actions_are_the_ones_chosen, Subject(("dqn", str(path), "chain")))
    assert found.verdict == verdict, (found.why, found.example, found.expected, found.got)
