"""The chain: the chapter's figures, gymnasium's contract, and agreement of the walk with its model."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

import envs  # noqa: F401  (registers the ids)
from envs import chain
from envs.chain import ChainEnv, ChainOptions
from envs.model import CELL, Transitions
from framework.config import Source, build_config
from framework.errors import UsageError

REWARD = st.floats(-100, 100).map(lambda value: round(value, 6))
GAMMA = st.floats(0, 0.999)


@st.composite
def chains(draw: Callable[[Any], Any]) -> ChainEnv:
    rewards = draw(st.lists(REWARD, min_size=3, max_size=12))
    return ChainEnv(len(rewards), rewards)


def bellman_residual(transitions: Transitions, q: np.ndarray, gamma: float) -> float:
    """max |Q − TQ|, written out outcome by outcome so that it shares nothing with the solver."""
    return max(
        abs(q[s, a] - sum(p * (r + (0 if end else gamma * max(q[n]))) for p, n, r, end in outcomes))
        for s, row in enumerate(transitions)
        for a, outcomes in enumerate(row)
    )


def test_gymnasium_finds_nothing_to_say() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("framework/Chain-v0").unwrapped)
        check_env(gymnasium.make("framework/Chain-v0", length=8, render_mode="rgb_array").unwrapped)


def test_registering_loads_no_environment() -> None:
    code = "import sys, envs; sys.exit('envs.chain' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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


@given(chains(), GAMMA)
def test_q_star_solves_the_bellman_optimality_equation(env: ChainEnv, gamma: float) -> None:
    q = env.q_star(gamma)
    scale = max(1.0, float(np.abs(q).max()))
    assert bellman_residual(env.transitions(), q, gamma) < 1e-10 * scale
    assert not q[[0, -1]].any()


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


@pytest.mark.parametrize("action", [-1, 2])
def test_an_unknown_action_is_refused(action: int) -> None:
    env = ChainEnv()
    env.reset()
    with pytest.raises(ValueError, match=f"action must be in 0…1, got {action}"):
        env.step(action)


@pytest.mark.parametrize("gamma", [-0.1, 1.0, float("nan")])
def test_q_star_refuses_a_discount_without_an_optimum(gamma: float) -> None:
    with pytest.raises(ValueError, match=r"gamma must be in \[0, 1\)"):
        ChainEnv().q_star(gamma)


def test_text_shows_the_ends_and_the_agent() -> None:
    env = ChainEnv(render_mode="ansi")
    env.reset()
    assert env.render() == "P.A.G"
    env.step(1)
    assert env.render() == "P..AG"
    assert ChainEnv(3, (0, 0, -1), "ansi").render() == "EAP"
    assert ChainEnv().render() is None


def test_the_picture_changes_where_the_agent_moves() -> None:
    env = ChainEnv(render_mode="rgb_array")
    env.reset()
    before = env.render()
    env.step(1)
    after = env.render()
    assert isinstance(before, np.ndarray)
    assert isinstance(after, np.ndarray)
    assert (before.shape, before.dtype) == ((CELL, 5 * CELL, 3), np.uint8)
    changed = (before != after).any(axis=(0, 2)).reshape(5, CELL).any(axis=1)
    assert changed.tolist() == [False, False, True, True, False]


def test_the_plugin_makes_what_its_section_says() -> None:
    values = {"chain.length": 7, "chain.rewards": [3, 0, 0, 0, 0, 0, 1], "chain.max_steps": 2}
    config = build_config(chain.config_sections(), [Source("test", values)])
    make = chain.make_env(config, "train")
    env = make()
    assert env is not make()
    assert env.observation_space == gymnasium.spaces.Discrete(7)
    assert env.reset(seed=0) == (3, {})
    assert [env.step(np.int64(action))[2:4] for action in (1, 0)] == [(False, False), (False, True)]
    assert env.render_mode is None
    assert chain.make_env(config, "watch")().render_mode == "rgb_array"


def test_without_max_steps_nothing_is_truncated() -> None:
    env = chain.make_env(build_config([ChainOptions], []), "train")()
    env.reset(seed=0)
    assert not any(env.step(np.int64(step % 2))[3] for step in range(2000))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"chain.rewards": [1, 2]}, "rewards must have one entry for each of the 5 states, got 2"),
        ({"chain.length": 2}, "chain.length = 2"),
        ({"chain.max_steps": -1}, "chain.max_steps = -1"),
    ],
)
def test_a_bad_value_is_one_problem(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        build_config([ChainOptions], [Source("--set", values)])
    (problem,) = error.value.problems
    assert message in problem


def test_recommended_values() -> None:
    tabular = chain.recommended_values(["tabular", "chain"])
    assert tabular == {
        "run.episodes": 100,
        "exploration.shape": "linear",
        "exploration.start": 1.0,
        "exploration.final": 0.0,
        "exploration.unit": "episodes",
        "exploration.horizon": 100,
        "returns.gamma": 0.9,
    }
    assert chain.recommended_values(["dqn", "chain"]) == {"run.steps": 5000, "returns.gamma": 0.9}
