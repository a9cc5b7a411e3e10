"""The plugins `chain` and `grid`: their sections, the environments they make, and the values they recommend."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest

import envs  # noqa: F401  (registers the ids)
from envs import chain, grid
from envs.chain import ChainEnv, ChainOptions
from envs.grid import GridEnv, GridOptions
from framework.config import Source, build_config, parse_assignment
from framework.errors import UsageError

SECTIONS = [*chain.config_sections(), *grid.config_sections()]


def test_chain_makes_what_its_section_says() -> None:
    values = {"chain.length": 7, "chain.rewards": [3, 0, 0, 0, 0, 0, 1], "chain.max_steps": 2}
    config = build_config(SECTIONS, [Source("test", values)])
    make = chain.make_env(config, "train")
    env = make()
    assert env is not make()
    assert env.observation_space == gymnasium.spaces.Discrete(7)
    assert env.reset(seed=0) == (3, {})
    assert [env.step(np.int64(action))[2:4] for action in (1, 0)] == [(False, False), (False, True)]
    assert isinstance(env.unwrapped, ChainEnv)
    assert env.unwrapped.transitions()[1][0] == [(1.0, 0, 3.0, True)]


def test_grid_makes_what_its_section_says() -> None:
    values = {"grid.layout": ["S.", "#G"], "grid.step_reward": -0.5, "grid.slip": 1.0, "grid.max_steps": 3}
    env = grid.make_env(build_config(SECTIONS, [Source("test", values)]), "evaluate")()
    assert env.observation_space == gymnasium.spaces.Discrete(4)
    env.reset(seed=0)
    # With slip 1 no move left goes left: up is over the edge and down in the wall, so both stay.
    steps = [env.step(np.int64(3))[:4] for _ in range(3)]
    assert steps == [(0, -0.5, False, False), (0, -0.5, False, False), (0, -0.5, False, True)]


@pytest.mark.parametrize("plugin", [chain, grid])
def test_only_the_watched_environment_draws(plugin: Any) -> None:
    config = build_config(SECTIONS, [])
    modes = {role: plugin.make_env(config, role)().render_mode for role in ("train", "evaluate", "watch")}
    assert modes == {"train": None, "evaluate": None, "watch": "rgb_array"}


@pytest.mark.parametrize("plugin", [chain, grid])
def test_factories_can_be_sent_to_another_process(plugin: Any) -> None:
    make = plugin.make_env(build_config(SECTIONS, []), "train")
    assert pickle.loads(pickle.dumps(make))().reset(seed=0) == make().reset(seed=0)


def test_without_max_steps_nothing_is_truncated() -> None:
    env = chain.make_env(build_config(SECTIONS, [Source("test", {"chain.max_steps": 0})]), "train")()
    env.reset(seed=0)
    assert not any(env.step(np.int64(step % 2))[3] for step in range(2000))


@pytest.mark.parametrize(
    ("env", "name", "section"),
    [(ChainEnv, "framework/Chain-v0", ChainOptions), (GridEnv, "framework/Grid-v0", GridOptions)],
)
def test_the_id_and_the_plugin_have_the_same_defaults(env: type, name: str, section: type[ChainOptions]) -> None:
    options = section().model_dump()
    assert (gymnasium.spec(name).max_episode_steps or 0) == options.pop("max_steps")
    arguments = {name: argument.default for name, argument in inspect.signature(env).parameters.items()}
    assert options == {key: value for key, value in arguments.items() if key != "render_mode"}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("chain.rewards=[1, 2]", "chain (from the values together): rewards must have one entry for each of the 5"),
        ("chain.length=2", "chain.length = 2 (from --set): "),
        ("chain.max_steps=-1", "chain.max_steps = -1 (from --set): "),
        ("grid.layout=S.G", "grid.layout = 'S.G' (from --set): a layout is a list of rows"),
        ("grid.layout=[1, 2]", "grid.layout = [1, 2] (from --set): a layout is a list of rows"),
        ('grid.layout=["S.", "G"]', "equally long, got lengths [2, 1]"),
        ('grid.layout=["S?", "G?"]', "got '?'"),
        ("grid.slip=2", "grid.slip = 2 (from --set): "),
    ],
)
def test_a_bad_value_is_one_problem(assignment: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        build_config(SECTIONS, [Source("--set", dict([parse_assignment(assignment)]))])
    (problem,) = error.value.problems
    assert message in problem


@pytest.mark.parametrize(
    ("plugin", "episodes", "final", "horizon", "env_steps"),
    [(chain, 100, 0.0, 100, 5000), (grid, 500, 0.05, 250, 10_000)],
)
def test_recommended_values(plugin: Any, episodes: int, final: float, horizon: int, env_steps: int) -> None:
    assert plugin.recommended_values(["tabular", "any"]) == {
        "run.episodes": episodes,
        "exploration.shape": "linear",
        "exploration.start": 1.0,
        "exploration.final": final,
        "exploration.unit": "episodes",
        "exploration.horizon": horizon,
        "returns.gamma": 0.9,
    }
    assert plugin.recommended_values(["dqn", "any"]) == {"run.steps": env_steps, "returns.gamma": 0.9}
