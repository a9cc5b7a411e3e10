"""ε, its schedules, the frequencies of actions; when to learn and when to copy the target."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.defaults.exploration import EpsilonGreedy, epsilon_schedule
from framework.defaults.pacing import HardSync, ReplayRatio
from framework.defaults.schedules import exponential, linear
from framework.options import ExplorationOptions
from framework.seeding import Seeds
from framework.types import Counters, Step


class TestSchedules:
    def test_the_chapters_chain(self) -> None:
        """ε starts at 1 and falls by 1/100 an episode over 100 episodes."""
        options = ExplorationOptions(start=1.0, final=0.0, shape="linear", horizon=100, unit="episodes")
        epsilon = epsilon_schedule(options)
        for episode in range(150):
            assert epsilon(Counters(episodes=episode, env_steps=999)) == pytest.approx(max(0, 1 - episode / 100))

    def test_the_chapters_pong(self) -> None:
        """ε_final + (ε_start − ε_final) · exp(−(t + 1) / decay), t in environment steps."""
        options = ExplorationOptions(start=1.0, final=0.005, shape="exponential", horizon=100_000, unit="env_steps")
        epsilon = epsilon_schedule(options)
        for t in (0, 1, 99_999, 10**6):
            expected = 0.005 + 0.995 * math.exp(-(t + 1) / 100_000)
            assert epsilon(Counters(env_steps=t, episodes=7, updates=3)) == expected

    @given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 10**6), st.integers(0, 10**7))
    def test_both_stay_between_their_ends_and_move_one_way(self, start: float, final: float, h: int, t: int) -> None:
        for shape in (linear, exponential):
            now, later = shape(start, final, h, t), shape(start, final, h, t + 1)
            low, high = sorted((start, final))
            assert low - 1e-12 <= now <= high + 1e-12
            assert abs(later - final) <= abs(now - final) + 1e-12
        assert linear(start, final, h, h + t) == final


class TestEpsilonGreedy:
    def test_actions_follow_the_draw(self) -> None:
        """u < ε picks action ⌊u / ε · A⌋, so a third of the random draws falls on each of three actions."""

        class Scripted:
            def random(self, n: int) -> np.ndarray:
                return np.array([0.0, 0.1, 0.2, 0.29, 0.3, 0.9])

        greedy = EpsilonGreedy(lambda counters: 0.3, Scripted())
        values = np.tile([0.0, 5.0, 1.0], (6, 1))
        assert greedy.choose(values, values, Counters()).tolist() == [0, 1, 2, 2, 1, 1]

    @pytest.mark.parametrize("epsilon", [0.0, 0.25, 1.0])
    def test_frequencies_are_the_probabilities(self, epsilon: float) -> None:
        """80 000 draws; a deviation of 5 standard errors in any of three cells has probability below 2e-6."""
        exploration = EpsilonGreedy(lambda counters: epsilon, np.random.default_rng(1))
        values = np.tile([1.0, 3.0, 2.0], (80_000, 1))
        expected = exploration.probabilities(values, values, Counters())[0]
        assert expected.sum() == pytest.approx(1)
        counts = np.bincount(exploration.choose(values, values, Counters()), minlength=3) / 80_000
        error = np.sqrt(expected * (1 - expected) / 80_000)
        assert (np.abs(counts - expected) <= 5 * error).all()

    @given(st.floats(0, 1), st.integers(0, 2**32))
    def test_every_epsilon_gives_a_legal_action(self, epsilon: float, seed: int) -> None:
        exploration = EpsilonGreedy(lambda counters: epsilon, np.random.default_rng(seed))
        assert set(exploration.choose(np.zeros((9, 3)), np.zeros(9), Counters()).tolist()) <= {0, 1, 2}

    def test_environments_choose_independently(self) -> None:
        exploration = EpsilonGreedy(lambda counters: 1.0, np.random.default_rng(2))
        choices = np.array([exploration.choose(np.zeros((2, 4)), np.zeros(2), Counters()) for _ in range(4_000)])
        together = (choices[:, 0] == choices[:, 1]).mean()
        assert abs(together - 0.25) < 5 * math.sqrt(0.25 * 0.75 / 4_000)

    def test_one_draw_an_environment_whatever_epsilon_is(self) -> None:
        """So that a run's later actions do not depend on how many were random."""
        states = []
        for epsilon in (0.0, 0.5, 1.0):
            generator = np.random.default_rng(3)
            EpsilonGreedy(lambda counters, e=epsilon: e, generator).choose(np.zeros((5, 2)), np.zeros(5), Counters())
            states.append(generator.bit_generator.state["state"])
        assert states[0] == states[1] == states[2]

    def test_ties_go_to_the_first_action_and_the_global_stream_is_left_alone(self) -> None:
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        exploration = EpsilonGreedy(lambda counters: 0.0, np.random.default_rng(0))
        assert exploration.choose(np.zeros((3, 4)), np.zeros(3), Counters()).tolist() == [0, 0, 0]
        assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


class TestSeeds:
    def test_streams_are_named_and_seed_zero_is_a_seed(self) -> None:
        zero, one = Seeds(0), Seeds(1)
        assert zero.generator("a").random() == zero.generator("a").random()
        assert len({seeds.generator(name).random() for seeds in (zero, one) for name in ("a", "b", "c")}) == 6

    def test_neighbouring_runs_and_environments_share_no_episode(self) -> None:
        """4 runs × 2 roles × 4 environments × 25 episodes; a chance collision has probability below 2e-4."""
        seeds = [
            Seeds(run).episode(role, env_id, episode)
            for run in range(4)
            for role in ("train", "evaluate")
            for env_id in range(4)
            for episode in range(25)
        ]
        assert len(set(seeds)) == len(seeds)
        assert all(0 <= seed < 2**31 for seed in seeds)


class Copies:
    def __init__(self) -> None:
        self.at: list[tuple[int, int]] = []
        self.counters = Counters()

    def update_target(self, fraction: float) -> None:
        assert fraction == 1.0
        self.at.append((self.counters.env_steps, self.counters.updates))


class TestHardSync:
    @given(num_envs=st.integers(1, 9), every=st.integers(1, 20), steps=st.integers(1, 60))
    def test_it_fires_once_for_each_multiple_passed(self, num_envs: int, every: int, steps: int) -> None:
        policy = Copies()
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
        policy = Copies()
        sync = HardSync(policy, 3, "updates")
        for _ in range(10):
            policy.counters.env_steps += 7
            sync.tick(policy.counters)
            policy.counters.updates += 1
            sync.tick(policy.counters)
        assert [updates for _, updates in policy.at] == [3, 6, 9]

    def test_a_reloaded_one_keeps_the_period(self) -> None:
        policy = Copies()
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

    def test_counters_advance_by_rows_frames_and_ends(self) -> None:
        counters = Counters()
        counters.advance(
            Step(
                env_id=np.arange(3),
                first=np.zeros(3, np.bool_),
                obs=np.zeros((3, 1)),
                action=np.zeros(3, np.int64),
                reward=np.zeros(3),
                raw_reward=np.zeros(3),
                terminated=np.array([True, False, False]),
                truncated=np.array([True, True, False]),
                next_obs=np.zeros((3, 1)),
                frames=4,
            )
        )
        assert counters == Counters(env_steps=3, frames=12, updates=0, episodes=2)
