"""The environment and plugin `chain`: the chapter's figures, the exact optimum, the rules of the walk, the options."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import envs  # noqa: F401  (registers the ids)
from envs import chain
from envs.chain import ChainEnv, ChainOptions
from framework.config import Source, build_config, parse_assignment
from framework.errors import UsageError

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
    """v(s) = max(−γ^(s−1), 2γ^(last−s−1)). The second is always larger, so Q(s, 1) = 2γ^(last−s−1)."""
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


def test_chain_makes_what_its_section_says() -> None:
    values = {"chain.length": 7, "chain.rewards": [3, 0, 0, 0, 0, 0, 1], "chain.max_steps": 2}
    config = build_config(chain.config_sections(), [Source("test", values)])
    make = chain.make_env(config, "train")
    env = make()
    assert env is not make()
    assert env.observation_space == gymnasium.spaces.Discrete(7)
    assert env.reset(seed=0) == (3, {})
    assert [env.step(np.int64(action))[2:4] for action in (1, 0)] == [(False, False), (False, True)]
    assert isinstance(env.unwrapped, ChainEnv)
    assert env.unwrapped.transitions()[1][0] == [(1.0, 0, 3.0, True)]


def test_only_the_watched_environment_draws() -> None:
    config = build_config(chain.config_sections(), [])
    modes = {role: chain.make_env(config, role)().render_mode for role in ("train", "evaluate", "watch")}
    assert modes == {"train": None, "evaluate": None, "watch": "rgb_array"}


def test_factories_can_be_sent_to_another_process() -> None:
    make = chain.make_env(build_config(chain.config_sections(), []), "train")
    assert pickle.loads(pickle.dumps(make))().reset(seed=0) == make().reset(seed=0)


def test_without_max_steps_nothing_is_truncated() -> None:
    env = chain.make_env(build_config(chain.config_sections(), [Source("test", {"chain.max_steps": 0})]), "train")()
    env.reset(seed=0)
    assert not any(env.step(np.int64(step % 2))[3] for step in range(2000))


def test_the_id_and_the_plugin_have_the_same_defaults() -> None:
    options = ChainOptions().model_dump()
    assert (gymnasium.spec("framework/Chain-v0").max_episode_steps or 0) == options.pop("max_steps")
    arguments = {name: argument.default for name, argument in inspect.signature(ChainEnv).parameters.items()}
    assert options == {key: value for key, value in arguments.items() if key != "render_mode"}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("chain.rewards=[1, 2]", "chain (from several values together): rewards must have one entry for each of the 5"),
        ("chain.length=2", "chain.length = 2 (from --set): "),
        ("chain.max_steps=-1", "chain.max_steps = -1 (from --set): "),
    ],
)
def test_a_bad_value_is_one_problem(assignment: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        build_config(chain.config_sections(), [Source("--set", dict([parse_assignment(assignment)]))])
    (problem,) = error.value.problems
    assert message in problem


def test_recommended_values() -> None:
    assert chain.recommended_values(["tabular", "any"]) == {
        "run.episodes": 100,
        "exploration.shape": "linear",
        "exploration.start": 1.0,
        "exploration.final": 0.0,
        "exploration.unit": "episodes",
        "exploration.horizon": 100,
        "returns.gamma": 0.9,
    }
    assert chain.recommended_values(["dqn", "any"]) == {"run.steps": 5000, "returns.gamma": 0.9}
