"""The hooks of the plugin `pong`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import gymnasium

from framework.assembly.configuration import configure
from framework.config import Config, Source, build_config
from plugins import pong
from plugins.atari.native import NativeGames


def config(values: Mapping[str, Any] | None = None) -> Config:
    sources = [Source("test", {f"pong.{key}": value for key, value in (values or {}).items()})]
    return build_config(pong.config_sections(), sources)


def test_training_is_native_and_watching_renders_whatever_the_back_end() -> None:
    env = pong.make_env(config({"size": 36}), "train", 2)
    assert isinstance(env, NativeGames)
    assert env.num_envs == 2
    env.close()
    for backend in ("native", "wrappers"):
        factory = pong.make_env(config({"backend": backend}), "watch", 1)
        assert callable(factory)
        watched = factory()
        assert watched.render_mode == "rgb_array"
        assert watched.metadata["protocol"]["backend"] == "wrappers"


def test_the_wrappers_back_end_is_a_factory_of_single_games() -> None:
    factory = pong.make_env(config({"backend": "wrappers", "size": 36}), "evaluate", 2)
    assert callable(factory)
    env = factory()
    assert isinstance(env, gymnasium.Env)
    assert env.observation_space.shape == (36, 36)
    assert env.render_mode is None
    assert "reward_clip" not in env.metadata


def test_what_it_recommends_depends_on_who_plays() -> None:
    """Every recommended option exists, and only networks get the options for networks."""
    _, config, _ = configure("dqn,pong")
    assert config.flat()["run.num_envs"] == 8
    assert config.sources["dqn.learning_rate"] == "recommended by pong"
    assert "learning.starts" not in pong.recommended_values(["tabular", "pong"])


def test_alone_it_is_played_by_pqn_with_values_of_its_own() -> None:
    _, alone, _ = configure("pong")
    _, named, _ = configure("pqn,pong")
    assert {**alone.flat(), "run.plugins": ()} == {**named.flat(), "run.plugins": ()}
    for path, value in pong.RECOMMENDED_FOR_PQN.items():
        assert alone.flat()[path] == value
    assert alone.flat()["dqn.loss"] == "squared"
    assert configure("pqn,chain")[1].flat()["run.num_envs"] == 16


def test_importing_the_plugin_imports_no_emulator() -> None:
    code = "import sys, plugins.pong; print(sorted({'ale_py', 'cv2', 'torch'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
