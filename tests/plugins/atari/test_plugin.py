"""The hooks of the plugin `atari`, and how its section `atari` and the family `atari` go together."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from framework.assembly.configuration import configure
from framework.config import Source
from plugins import atari
from plugins.atari.description import describe
from plugins.atari.game import game_of
from plugins.atari.native import NativeGames
from plugins.atari.options import AtariOptions
from plugins.atari.single import game_env
from plugins.pong.options import PongOptions
from plugins.pong.single import pong_env


def config(**values: Any) -> Any:
    return configure("tabular,atari", [Source("test", {f"atari.{key}": value for key, value in values.items()})])[1]


def test_training_is_native_and_watching_renders_whatever_the_back_end() -> None:
    env = atari.make_env(config(size=36), "train", 2)
    assert isinstance(env, NativeGames)
    assert env.num_envs == 2
    env.close()
    for backend in ("native", "wrappers"):
        factory = atari.make_env(config(backend=backend), "watch", 1)
        assert callable(factory)
        watched = factory()
        assert watched.render_mode == "rgb_array"
        assert watched.metadata["protocol"]["backend"] == "wrappers"
        watched.close()


@pytest.mark.parametrize("names", ["rainbow", "data_efficient", "chapter"])
def test_a_bundle_s_values_for_the_family_reach_the_section_of_the_same_name(names: str) -> None:
    """`atari` is a family and a section. All of the bundle's values arrive, as with `pong`, and nothing is left out."""
    _, found, notes = configure(f"{names},atari")
    _, preset, others = configure(f"{names},pong")
    assert notes == others == []
    given = {path for path, source in found.sources.items() if source == f"bundle {names}"}
    assert {path.replace("atari.", "pong.") for path in given} == {
        path for path, source in preset.sources.items() if source == f"bundle {names}"
    }
    assert {path.partition(".")[0] for path in given} >= {"atari", "dqn"}
    for path in given:
        assert found.flat()[path] == preset.flat()[path.replace("atari.", "pong.")], path


def test_the_options_of_atari_are_not_those_of_pong() -> None:
    assert "atari.stack" not in configure("dqn,pong")[1].flat()
    assert "pong.stack" not in configure("dqn,atari")[1].flat()


def test_pong_is_a_preset_of_it() -> None:
    """With the same options, both plugins show the same frames; only the actions have other numbers."""
    options: dict[str, Any] = {"size": 84, "view": "screen", "stack": 4, "noop_max": 0}
    preset = pong_env(PongOptions(**options, actions="minimal"))
    game = game_env(game_of(AtariOptions(**options, game="pong")))
    assert preset.metadata["protocol"]["actions"] == game.metadata["protocol"]["actions"]
    np.testing.assert_array_equal(preset.reset(seed=0)[0], game.reset(seed=0)[0])
    for action in np.random.default_rng(0).integers(6, size=80):
        one, other = preset.step(action), game.step(action)
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1:4] == other[1:4]


def test_the_metadata_says_which_game_by_which_rules() -> None:
    found = describe(game_of(AtariOptions(game="seaquest", protocol="2018", sticky=0.25)), "train", ("NOOP",))
    expected = {"game": "seaquest", "protocol": "2018", "repeat_action_probability": 0.25, "action_set": "minimal"}
    assert {key: found["protocol"][key] for key in expected} == expected
    assert found["reference_scores"]["human"] == 42054.7
    assert "reference_scores" not in describe(game_of(AtariOptions(game="adventure")), "train", ("NOOP",))


@pytest.mark.parametrize("role", ["evaluate", "watch"])
def test_only_training_knows_lives_and_clips_rewards(role: Any) -> None:
    game = game_of(AtariOptions())
    train, other = describe(game, "train", ()), describe(game, role, ())
    assert train["protocol"]["episode_ends_on_life_loss"] and not other["protocol"]["episode_ends_on_life_loss"]
    assert train["reward_clip"] == (-1.0, 1.0) and "reward_clip" not in other


def test_importing_the_plugin_imports_no_emulator() -> None:
    code = "import sys, plugins.atari; print(sorted({'ale_py', 'cv2', 'torch'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("backend", ["native", "wrappers"])
@pytest.mark.parametrize("game", ["assault", "beam_rider"])
def test_a_game_begun_again_with_its_seed_is_as_good_as_a_new_one(backend: str, game: str) -> None:
    """ALE's reset alone leaves something behind in these games, so a seeded reset loads the game."""
    options = game_of(AtariOptions(game=game, noop_max=0))
    env: Any = NativeGames(options, 1) if backend == "native" else game_env(options)

    def play(seed: int, steps: int) -> list[bytes]:
        rng = np.random.default_rng(0)
        frames = [env.reset(seed=[seed] if backend == "native" else seed)[0].tobytes()]
        for action in rng.integers(4, size=steps):
            frames.append(env.step(np.array([action]) if backend == "native" else action)[0].tobytes())
        return frames

    first = play(1, 60)
    play(2, 33)
    assert play(1, 60) == first
    env.close()
