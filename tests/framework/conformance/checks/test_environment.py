"""Checks of environments, on environments that break what they look for."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.conformance.checks.environment.endings import PATIENCE, an_episode_ends
from framework.conformance.runner.execution import run_check
from framework.conformance.subject import Subject

ENDLESS = """
import gymnasium

from framework.hooks import hookimpl


class Long(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return 0, {{}}

    def step(self, action):
        self.steps += 1
        return 0, 0.0, self.steps == {end}, False, {{}}


@hookimpl
def make_env():
    return lambda: {made}
"""


@pytest.mark.parametrize(
    ("end", "made", "ends"),
    [
        (PATIENCE, "Long()", True),
        (PATIENCE + 1, "Long()", False),
        (-1, "gymnasium.wrappers.TimeLimit(Long(), 1_000_000)", True),
    ],
)
def test_an_endless_environment_is_told(end: int, made: str, ends: bool, tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text(ENDLESS.format(end=end, made=made))
    found = run_check(an_episode_ends, Subject(("tabular", str(path))))
    assert found.verdict == ("passed" if ends else "failed"), found.why
