"""The chain: the chapter's figures, a closed form of its optimum, and the rules of the walk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.chain import ChainEnv

REWARD = st.floats(-100, 100)


@st.composite
def chains(draw: Callable[[Any], Any]) -> ChainEnv:
    rewards = draw(st.lists(REWARD, min_size=3, max_size=12))
    return ChainEnv(len(rewards), rewards)


def test_the_chapters_optimum() -> None:
    q = ChainEnv().q_star(0.9)
    assert q.dtype == np.float64
    expected = [[0, 0], [-1, 1.62], [1.458, 1.8], [1.62, 2], [0, 0]]
    np.testing.assert_allclose(q, expected, rtol=0, atol=1e-12)


def test_the_chapters_walk() -> None:
    env = ChainEnv()
    assert env.reset(seed=0) == (2, {})
    walk = [env.step(action)[:4] for action in (0, 1, 1, 1)]
    assert walk == [(1, 0, False, False), (2, 0, False, False), (3, 0, False, False), (4, 2, True, False)]
    env.reset()
    assert [env.step(0)[:4] for _ in range(2)] == [(1, 0, False, False), (0, -1, True, False)]


@given(st.integers(3, 30), st.floats(0.01, 0.99))
def test_q_star_has_the_closed_form_where_only_the_ends_pay(length: int, gamma: float) -> None:
    """v(s) = max(−γ^(s−1), 2γ^(last−s−1)), which the upper end wins everywhere, so Q(s, 1) = 2γ^(last−s−1)."""
    q = ChainEnv(length).q_star(gamma)
    last = length - 1
    up = [2 * gamma ** (last - s - 1) for s in range(1, last)]
    down = [-1.0, *[gamma * value for value in up[:-1]]]
    np.testing.assert_allclose(q[1:-1], np.column_stack([down, up]), rtol=0, atol=1e-12)


@given(chains(), st.data())
def test_the_walk_follows_its_rules_and_its_model(env: ChainEnv, data: st.DataObject) -> None:
    last = int(env.observation_space.n) - 1
    rewards = {
        outcome.next_state: outcome.reward
        for row in env.transitions()[1:last]
        for outcomes in row
        for outcome in outcomes
    }
    state, _ = env.reset(seed=0)
    assert state == (last + 1) // 2
    for action in data.draw(st.lists(st.integers(0, 1), max_size=40)):
        ((probability, *rest),) = env.transitions()[state][action]
        after, reward, terminated, truncated, _ = env.step(action)
        assert (after, reward, terminated, truncated) == (*rest, False)
        assert probability == 1
        assert after == state + 2 * action - 1
        assert reward == rewards[after]
        assert terminated == (after in (0, last))
        if terminated:
            break
        state = after


@given(st.lists(REWARD, min_size=3, max_size=12))
def test_rewards_are_those_of_the_state_entered(rewards: list[float]) -> None:
    env = ChainEnv(len(rewards), rewards)
    for direction in (0, 1):
        state, _ = env.reset(seed=1)
        terminated = False
        while not terminated:
            state, reward, terminated, _, _ = env.step(direction)
            assert reward == rewards[state]
        assert state == direction * (len(rewards) - 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 2}, "length must be at least 3"),
        ({"length": 4, "rewards": (-1, 0, 0, 0, 2)}, "one entry for each of the 4 states, got 5"),
        ({"rewards": ()}, "got 0"),
        ({"length": 3, "rewards": (0, float("nan"), 1)}, "finite"),
        ({"render_mode": "human"}, r"render_mode must be None or one of \['ansi', 'rgb_array'\], got 'human'"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ChainEnv(**arguments)
