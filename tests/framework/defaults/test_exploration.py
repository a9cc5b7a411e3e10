"""ε-greedy: its schedule, its draws, and how often each action comes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.defaults.exploration import EpsilonGreedy, epsilon_schedule
from framework.options import ExplorationOptions
from framework.types import Counters


class TestEpsilonSchedule:
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


class TestEpsilonGreedy:
    def test_actions_follow_the_draw(self) -> None:
        """u < ε picks action ⌊u / ε · A⌋, so a third of the random draws falls on each of three actions."""

        class ScriptedGenerator:
            def random(self, n: int) -> np.ndarray:
                return np.array([0.0, 0.1, 0.2, 0.29, 0.3, 0.9])

        greedy = EpsilonGreedy(lambda counters: 0.3, ScriptedGenerator())
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
