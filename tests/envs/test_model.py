"""What the tiny environments share: gymnasium's contract, the solver of their models, and drawing."""

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
from envs.chain import ChainEnv
from envs.grid import GridEnv
from envs.model import CELL, Outcome, Transitions, optimal_values

GAMMA = st.floats(0, 0.999)
REWARD = st.floats(-10, 10)


@st.composite
def models(draw: Callable[[Any], Any]) -> Transitions:
    """Any model with up to 5 states, 3 actions and 3 outcomes."""
    states, actions = draw(st.integers(1, 5)), draw(st.integers(1, 3))

    def outcomes() -> list[Outcome]:
        weights = draw(st.lists(st.floats(0.01, 1), min_size=1, max_size=3))
        targets = st.integers(0, states - 1)
        return [Outcome(w / sum(weights), draw(targets), draw(REWARD), draw(st.booleans())) for w in weights]

    return [[outcomes() for _ in range(actions)] for _ in range(states)]


@st.composite
def chains(draw: Callable[[Any], Any]) -> ChainEnv:
    rewards = draw(st.lists(REWARD, min_size=3, max_size=12))
    return ChainEnv(len(rewards), rewards)


@st.composite
def grids(draw: Callable[[Any], Any]) -> GridEnv:
    columns = draw(st.integers(1, 4))
    others = draw(st.lists(st.sampled_from("...#GP"), min_size=3 * columns - 2, max_size=3 * columns - 2))
    text = "".join(draw(st.permutations([*others, "S", "G"])))
    return GridEnv([text[i : i + columns] for i in range(0, len(text), columns)], draw(REWARD), draw(st.floats(0, 1)))


def assert_optimal(transitions: Transitions, q: np.ndarray, gamma: float) -> None:
    """Q = TQ, written out outcome by outcome so that it shares nothing with the solver."""
    assert q.dtype == np.float64
    assert q.shape == (len(transitions), len(transitions[0]))
    for state, row in enumerate(transitions):
        for action, outcomes in enumerate(row):
            target = sum(p * (r + (0 if end else gamma * max(q[after]))) for p, after, r, end in outcomes)
            assert abs(q[state, action] - target) < 1e-10 * max(1, abs(target))


@given(models(), GAMMA)
def test_optimal_values_solve_the_bellman_equation(transitions: Transitions, gamma: float) -> None:
    assert_optimal(transitions, optimal_values(transitions, gamma), gamma)


@given(st.one_of(chains(), grids()), GAMMA)
def test_q_star_solves_the_bellman_equation(env: ChainEnv | GridEnv, gamma: float) -> None:
    q = env.q_star(gamma)
    assert_optimal(env.transitions(), q, gamma)
    stays = [row[0] == [(1.0, state, 0.0, True)] for state, row in enumerate(env.transitions())]
    assert any(stays)
    assert not q[stays].any()


@pytest.mark.parametrize("gamma", [-0.1, 1.0, float("nan")])
def test_a_discount_without_an_optimum_is_refused(gamma: float) -> None:
    with pytest.raises(ValueError, match=r"gamma must be in \[0, 1\)"):
        ChainEnv().q_star(gamma)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("framework/Chain-v0", {}),
        ("framework/Chain-v0", {"length": 8, "render_mode": "rgb_array"}),
        ("framework/Grid-v0", {}),
        ("framework/Grid-v0", {"slip": 0.5, "render_mode": "ansi"}),
    ],
)
def test_gymnasium_finds_nothing_to_say(name: str, arguments: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(name, **arguments).unwrapped)


def test_registering_loads_no_environment() -> None:
    code = "import sys, envs; sys.exit('envs.chain' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("env", "last"), [(ChainEnv(), 1), (GridEnv(), 3)])
def test_an_unknown_action_is_refused(env: ChainEnv | GridEnv, last: int) -> None:
    env.reset()
    for action in (-1, last + 1):
        with pytest.raises(ValueError, match=f"action must be in 0…{last}, got {action}"):
            env.step(action)


def test_text_shows_the_tiles_and_the_agent() -> None:
    chain = ChainEnv(render_mode="ansi")
    chain.reset()
    assert chain.render() == "P.A.G"
    chain.step(1)
    assert chain.render() == "P..AG"
    assert ChainEnv(3, (0, 0, -1), "ansi").render() == "EAP"
    grid = GridEnv(render_mode="ansi")
    grid.reset()
    grid.step(0)
    assert grid.render() == "...G\nA#.P\nS..."


def test_the_picture_changes_where_the_agent_moves() -> None:
    env = GridEnv(render_mode="rgb_array")
    env.reset()
    before = env.render()
    env.step(0)
    after = env.render()
    assert isinstance(before, np.ndarray)
    assert isinstance(after, np.ndarray)
    assert before.shape == (3 * CELL, 4 * CELL, 3)
    assert before.dtype == np.uint8
    changed = (before != after).any(axis=2).reshape(3, CELL, 4, CELL).any(axis=(1, 3))
    assert np.argwhere(changed).tolist() == [[1, 0], [2, 0]]


def test_nothing_is_drawn_without_a_render_mode() -> None:
    assert ChainEnv().render() is None
