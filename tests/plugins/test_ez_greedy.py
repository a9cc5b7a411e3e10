"""εz-greedy exploration: against a loop in plain Python, its limits, and what it reaches that ε-greedy does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.assembly.assemble import assemble
from framework.testing import enforce
from framework.types import Counters, Exploration
from plugins.ez_greedy import EzGreedy, EzGreedyOptions
from tests.plugins.optima import check_the_policy_is_optimal

NOW = Counters()

powers, epsilons = st.floats(0, 4), st.floats(0, 1)


def explorer(epsilon: float, power: float, longest: int, envs: int, seed: int = 0) -> EzGreedy:
    options = EzGreedyOptions(power=power, longest=longest)
    return enforce(EzGreedy(lambda counters: epsilon, options, envs, np.random.default_rng(seed)), Exploration)


@given(epsilons, powers, st.integers(1, 6), st.integers(1, 4), st.integers(2, 4), st.integers(0, 99))
def test_it_is_the_papers_loop(epsilon: float, power: float, longest: int, envs: int, actions: int, seed: int) -> None:
    """Algorithm 1 for each environment: w counts the repetitions that are left."""
    exploration, rng = explorer(epsilon, power, longest, envs, seed), np.random.default_rng(seed)
    law = np.array([n**-power for n in range(1, longest + 1)])
    w, omega = [0] * envs, [0] * envs
    given_values = np.random.default_rng(seed + 1)
    for _ in range(30):
        values = given_values.normal(size=(envs, actions))
        draws = rng.random((3, envs))
        wanted = []
        for env in range(envs):
            if w[env] == 0 and draws[0, env] < epsilon:
                omega[env] = int(draws[1, env] * actions)
                reached = np.cumsum(law) / law.sum() > draws[2, env]
                w[env] = 1 + int(reached.argmax()) if reached.any() else longest
            if w[env] > 0:
                wanted.append(omega[env])
                w[env] -= 1
            else:
                wanted.append(int(values[env].argmax()))
        assert exploration.choose(values, values, NOW).tolist() == wanted


@given(epsilons, powers, st.integers(0, 99))
def test_with_a_longest_of_one_it_is_epsilon_greedy(epsilon: float, power: float, seed: int) -> None:
    exploration = explorer(epsilon, power, 1, 3, seed)
    values = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    for _ in range(10):
        expected = np.full((3, 2), epsilon / 2)
        expected[np.arange(3), [1, 0, 0]] += 1 - epsilon
        assert np.allclose(exploration.probabilities(values, values, NOW), expected)
        exploration.choose(values, values, NOW)


def test_a_batch_of_another_size_gets_the_probabilities_of_epsilon_greedy() -> None:
    exploration = explorer(1.0, 0.0, 1_000, 2)
    values = np.zeros((5, 4))
    exploration.choose(values[:2], values[:2], NOW)
    assert set(exploration.probabilities(values[:2], values[:2], NOW).ravel()) == {0.0, 1.0}
    assert np.allclose(exploration.probabilities(values, values, NOW), 0.25)


def test_a_saved_one_goes_on_identically() -> None:
    first, second = (explorer(0.3, 1.0, 9, 4, seed) for seed in (5, 6))
    values = np.tile(np.arange(3.0), (4, 1))
    for _ in range(7):
        first.choose(values, values, NOW)
    second.load_state_dict(first.state_dict())
    for _ in range(20):
        assert np.array_equal(first.choose(values, values, NOW), second.choose(values, values, NOW))


def test_pushes_climb_the_hill_where_single_random_actions_never_do() -> None:
    """MountainCar: 80 episodes of ε = 1. The way out takes pushes of dozens of steps in one direction."""
    reached = {}
    always = {"exploration.start": 1.0, "exploration.final": 1.0, "run.num_envs": 8, "replay.capacity": 1_000}
    long = {"ez_greedy.power": 0.5, "ez_greedy.longest": 50}
    for names, values in {"dqn,no:ez_greedy,gym:MountainCar-v0": {}, "dqn,gym:MountainCar-v0": long}.items():
        parts = assemble(names, {**always, **values})
        reached[names], counters = 0, Counters()
        for _ in range(2_000):
            parts.collector.begin(counters)
            reached[names] += int(parts.collector.finish().terminated.sum())
        parts.close()
    assert reached["dqn,no:ez_greedy,gym:MountainCar-v0"] == 0
    assert reached["dqn,gym:MountainCar-v0"] >= 3


@pytest.mark.parametrize(("env", "steps"), [("chain", 1_000), ("grid", 10_000)])
def test_it_finds_the_optimal_policy(env: str, steps: int) -> None:
    check_the_policy_is_optimal("tabular,ez_greedy", env, steps, seed=0)
