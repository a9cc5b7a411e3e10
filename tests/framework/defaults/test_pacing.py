"""When the agent learns, and when the target network is copied."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.assembly.assemble import assemble
from framework.defaults.pacing import HardSync, ReplayRatio
from framework.types import Counters


class TargetSpy:
    """A policy that records at which steps and updates its target network was copied."""

    def __init__(self) -> None:
        self.at: list[tuple[int, int]] = []
        self.counters = Counters()

    def update_target(self, fraction: float) -> None:
        assert fraction == 1.0
        self.at.append((self.counters.env_steps, self.counters.updates))


class TestHardSync:
    @given(num_envs=st.integers(1, 9), every=st.integers(1, 20), steps=st.integers(1, 60))
    def test_it_fires_once_for_each_multiple_passed(self, num_envs: int, every: int, steps: int) -> None:
        policy = TargetSpy()
        sync = HardSync(policy, every, "env_steps")
        for _ in range(steps):
            policy.counters.env_steps += num_envs
            sync.tick(policy.counters)
            policy.counters.updates += 1
            sync.tick(policy.counters)
        total = steps * num_envs
        passed = {count // every for count in range(num_envs, total + 1, num_envs)} - {0}
        assert len(policy.at) == len(passed)
        assert [steps // every for steps, _ in policy.at] == sorted(passed)

    def test_updates_are_another_unit(self) -> None:
        policy = TargetSpy()
        sync = HardSync(policy, 3, "updates")
        for _ in range(10):
            policy.counters.env_steps += 7
            sync.tick(policy.counters)
            policy.counters.updates += 1
            sync.tick(policy.counters)
        assert [updates for _, updates in policy.at] == [3, 6, 9]

    def test_a_reloaded_one_keeps_the_period(self) -> None:
        policy = TargetSpy()
        policy.counters.env_steps = 25
        first = HardSync(policy, 10, "env_steps")
        first.tick(policy.counters)
        second = HardSync(policy, 10, "env_steps")
        second.load_state_dict(first.state_dict())
        second.tick(policy.counters)
        assert len(policy.at) == 1
        policy.counters.env_steps = 30
        second.tick(policy.counters)
        assert len(policy.at) == 2


class TestReplayRatio:
    @given(starts=st.integers(0, 100), ratio=st.floats(0.01, 4), steps=st.integers(0, 500))
    def test_updates_owed_are_the_ratio_of_the_steps_since_the_warm_up(
        self, starts: int, ratio: float, steps: int
    ) -> None:
        due = ReplayRatio(32, starts, ratio, True).due(Counters(env_steps=steps))
        assert due == math.floor(max(0, steps - starts) * ratio)


@pytest.mark.parametrize(
    ("every", "unit", "told"), [(10, "env_steps", True), (64, "env_steps", False), (10, "updates", False)]
)
def test_a_period_shorter_than_a_step_of_all_environments_is_told(every: int, unit: str, told: bool) -> None:
    parts = assemble("dqn,chain", {"target.every": every, "target.unit": unit, "run.num_envs": 64})
    assert any("copied every 64 steps" in note for note in parts.notes) is told
    parts.close()
