"""MinAtar: the games of the package, episodes that follow from seed and actions, and the plugin's hooks."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, get_args

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import minatar as plugin
from envs.minatar import ACTIONS, CELL, COLOURS, Game, MinAtarEnv, MinAtarOptions, minatar_env
from framework.assembly.assemble import assemble
from framework.assembly.configuration import configure
from framework.config import Config, Source, build_config
from framework.environments.stream import TransitionStream, vectorise
from framework.errors import UsageError
from framework.training.loop import Loop

package = pytest.importorskip("minatar")

GAMES = get_args(Game)
CHANNELS = {"asterix": 4, "breakout": 4, "freeway": 7, "seaquest": 10, "space_invaders": 6}
MINIMAL = {
    "asterix": ("noop", "left", "up", "right", "down"),
    "breakout": ("noop", "left", "right"),
    "freeway": ("noop", "up", "down"),
    "seaquest": ("noop", "left", "up", "right", "down", "fire"),
    "space_invaders": ("noop", "left", "right", "fire"),
}

seeds = st.integers(0, 2**32 - 1)
games = st.sampled_from(GAMES)
action_lists = st.lists(st.integers(0, 5), max_size=120)


def config(values: Mapping[str, Any] | None = None) -> Config:
    sources = [Source("test", {f"minatar.{key}": value for key, value in (values or {}).items()})]
    return build_config(plugin.config_sections(), sources)


def play(env: gymnasium.Env[Any, Any], seed: int | None, actions: list[int]) -> list[Any]:
    """All that an episode shows: its first observation, then (observation, reward, terminated) of each step."""
    obs, info = env.reset(seed=seed)
    assert info == {}
    seen: list[Any] = [obs.tobytes()]
    for action in actions:
        obs, reward, terminated, truncated, info = env.step(action)
        assert not truncated
        assert info == {}
        seen.append((obs.tobytes(), reward, terminated))
        if terminated:
            break
    return seen


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("actions", ["minimal", "full"])
def test_gymnasiums_checker_finds_nothing(game: Game, actions: Any) -> None:
    with_pictures = MinAtarEnv(game, actions, render_mode="rgb_array")
    check_env(with_pictures, skip_render_check=True)
    check_env(minatar_env(MinAtarOptions(game=game, actions=actions)).unwrapped, skip_render_check=True)


class TestAgainstThePackage:
    @settings(max_examples=60)
    @given(games, seeds, action_lists, st.sampled_from([0.0, 0.1, 1.0]), st.booleans())
    def test_every_episode_is_the_packages(
        self, game: Game, seed: int, actions: list[int], sticky: float, ramping: bool
    ) -> None:
        reference = package.Environment(game, sticky_action_prob=sticky, difficulty_ramping=ramping)
        reference.seed(seed)
        reference.reset()
        env = MinAtarEnv(game, "full", sticky, ramping)
        obs, _ = env.reset(seed=seed)
        assert np.array_equal(obs > 0, reference.state().transpose(2, 0, 1))
        for action in actions:
            obs, reward, terminated, _, _ = env.step(action)
            assert (reward, terminated) == reference.act(action)
            assert np.array_equal(obs > 0, reference.state().transpose(2, 0, 1))
            if terminated:
                break

    @pytest.mark.parametrize("game", GAMES)
    def test_names_and_sizes(self, game: Game) -> None:
        reference = package.Environment(game)
        letters = {"n": "noop", "l": "left", "u": "up", "r": "right", "d": "down", "f": "fire"}
        assert tuple(letters[key] for key in reference.env.action_map) == ACTIONS
        env = MinAtarEnv(game)
        assert env.actions == MINIMAL[game]
        assert [ACTIONS.index(name) for name in env.actions] == reference.minimal_action_set()
        assert MinAtarEnv(game, "full").actions == ACTIONS
        assert [reference.env.channels[name] for name in env.channels] == list(range(CHANNELS[game]))
        assert env.observation_space == gymnasium.spaces.Box(0, 255, (CHANNELS[game], 10, 10), np.uint8)

    @given(games, seeds, action_lists)
    @settings(max_examples=25)
    def test_minimal_actions_are_the_full_ones_of_their_names(self, game: Game, seed: int, choices: list[int]) -> None:
        minimal, full = MinAtarEnv(game), MinAtarEnv(game, "full")
        chosen = [choice % len(minimal.actions) for choice in choices]
        named = [ACTIONS.index(minimal.actions[choice]) for choice in chosen]
        assert play(minimal, seed, chosen) == play(full, seed, named)

    def test_difficulty_grows_only_where_it_is_asked_for(self) -> None:
        """Asterix becomes harder after a hundred steps: the same seeds and actions then lead elsewhere."""
        different = 0
        for seed in range(40):
            actions = np.random.default_rng(seed).integers(5, size=300).tolist()
            envs = (MinAtarEnv("asterix", difficulty_ramping=on) for on in (True, False))
            growing, steady = (play(env, seed, actions) for env in envs)
            assert growing[:100] == steady[:100]
            different += growing != steady
        assert different

    def test_the_defaults_are_the_packages(self) -> None:
        reference, options = package.Environment("breakout"), MinAtarOptions()
        assert options.sticky_action_prob == reference.sticky_action_prob == 0.1
        assert options.difficulty_ramping is True


class TestSeeding:
    @given(games, seeds, seeds, action_lists, action_lists)
    @settings(max_examples=60)
    def test_an_episode_is_a_function_of_its_seed_and_actions(
        self, game: Game, seed: int, other: int, history: list[int], actions: list[int]
    ) -> None:
        fresh, used = MinAtarEnv(game, "full", 0.5), MinAtarEnv(game, "full", 0.5)
        play(used, other, history)
        assert play(used, seed, actions) == play(fresh, seed, actions)

    def test_the_last_action_of_the_episode_before_is_not_repeated(self) -> None:
        env = MinAtarEnv("breakout", sticky_action_prob=1.0)
        env.reset(seed=0)
        env._game.last_action = ACTIONS.index("left")
        env.reset(seed=0)
        (before,) = np.flatnonzero(env._observation()[0, 9])
        obs, *_ = env.step(1)
        assert np.flatnonzero(obs[0, 9]).tolist() == [before]

    def test_without_a_seed_the_stream_goes_on(self) -> None:
        def several(seed: int) -> list[Any]:
            env = MinAtarEnv("freeway")
            return [play(env, first, [0] * 3) for first in (seed, None, None)]

        one = several(5)
        assert one == several(5)
        assert one[0] != one[1] != one[2]

    def test_neither_reads_nor_writes_the_global_random_state(self) -> None:
        before = np.random.get_state()[1].tolist()  # noqa: NPY002
        play(MinAtarEnv("seaquest"), 3, [5] * 100)
        assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


class TestObservations:
    @given(games, seeds, action_lists)
    @settings(max_examples=25)
    def test_they_are_fresh_contiguous_arrays_of_0_and_255(self, game: Game, seed: int, actions: list[int]) -> None:
        env = MinAtarEnv(game, "full")
        kept = [(obs := env.reset(seed=seed)[0], obs.copy())]
        for action in actions:
            obs = env.step(action)[0]
            kept.append((obs, obs.copy()))
        for obs, copy in kept:
            assert obs in env.observation_space
            assert obs.flags["C_CONTIGUOUS"]
            assert set(np.unique(obs).tolist()) <= {0, 255}
            assert np.array_equal(obs, copy)

    def test_the_types_of_a_step(self) -> None:
        env = MinAtarEnv("space_invaders")
        env.reset(seed=0)
        obs, reward, terminated, truncated, _ = env.step(np.int64(3))
        assert (obs.dtype, type(reward), type(terminated), type(truncated)) == (np.uint8, float, bool, bool)

    @pytest.mark.parametrize("action", [-1, 3])
    def test_unknown_actions_are_refused(self, action: int) -> None:
        env = MinAtarEnv("breakout")
        env.reset(seed=0)
        with pytest.raises(ValueError, match="action must be in 0…2"):
            env.step(action)


class TestEnds:
    def test_a_lost_ball_terminates(self) -> None:
        env = plugin.make_env(config({"sticky_action_prob": 0.0}), "train")()
        env.reset(seed=0)
        # the ball falls from the fourth row to the last along a diagonal; the paddle stays in the middle
        assert [env.step(0)[2:4] for _ in range(6)] == [(False, False)] * 5 + [(True, False)]

    def test_max_steps_truncates(self) -> None:
        env = plugin.make_env(config({"game": "freeway", "max_steps": 20}), "evaluate")()
        env.reset(seed=0)
        assert [env.step(0)[2:4] for _ in range(20)] == [(False, False)] * 19 + [(False, True)]

    def test_freeways_clock_terminates(self) -> None:
        env = plugin.make_env(config({"game": "freeway"}), "train")()
        env.reset(seed=0)
        ends = [env.step(0)[2:4] for _ in range(2_501)]
        assert ends == [(False, False)] * 2_500 + [(True, False)]

    def test_without_max_steps_nothing_is_truncated(self) -> None:
        assert isinstance(plugin.make_env(config({"max_steps": 0}), "train")(), MinAtarEnv)


class TestPictures:
    @pytest.mark.parametrize("game", GAMES)
    def test_each_object_has_a_colour_of_its_own(self, game: Game) -> None:
        env = plugin.make_env(config({"game": game}), "watch")()
        obs, _ = env.reset(seed=1)
        picture = env.render()
        assert isinstance(picture, np.ndarray)
        assert (picture.shape, picture.dtype) == ((10 * CELL, 10 * CELL, 3), np.uint8)
        for row in range(10):
            for column in range(10):
                cell = picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
                there = np.flatnonzero(obs[:, row, column])
                assert (cell == (COLOURS[there[-1]] if len(there) else 0)).all()

    def test_there_are_colours_for_every_channel(self) -> None:
        assert len({(0, 0, 0), *COLOURS}) == 1 + max(CHANNELS.values())

    def test_only_the_watched_environment_draws(self) -> None:
        modes = {role: plugin.make_env(config(), role)().render_mode for role in ("train", "evaluate", "watch")}
        assert modes == {"train": None, "evaluate": None, "watch": "rgb_array"}
        assert MinAtarEnv().render() is None
        with pytest.raises(ValueError, match="render_mode must be None or one of"):
            MinAtarEnv(render_mode="human")


class TestPlugin:
    def test_side_by_side_they_are_the_single_games(self) -> None:
        """Through the engine's stream, with resets: each row equals a single environment with the episode's seed."""

        def seed_of(env_id: int, episode: int) -> int:
            return 100 * env_id + episode

        factory = plugin.make_env(config({"max_steps": 15}), "train")
        stream = TransitionStream(vectorise(factory, 3), seed_of)
        assert stream.spaces.num_envs == 3
        singles, episodes, last = [factory() for _ in range(3)], [0] * 3, {}
        for env_id, env in enumerate(singles):
            last[env_id] = env.reset(seed=seed_of(env_id, 0))[0]
        for number in range(80):
            actions = (np.arange(3) + number) % 3
            assert all(np.array_equal(stream.observations[env_id], last[env_id]) for env_id in last)
            stream.begin(actions)
            step = stream.finish()
            for env_id, env in enumerate(singles):
                obs, reward, terminated, truncated, _ = env.step(actions[env_id])
                assert np.array_equal(step.next_obs[env_id], obs)
                assert (step.reward[env_id], step.terminated[env_id], step.truncated[env_id]) == (
                    reward,
                    terminated,
                    truncated,
                )
                if terminated or truncated:
                    episodes[env_id] += 1
                    obs, _ = env.reset(seed=seed_of(env_id, episodes[env_id]))
                last[env_id] = obs
        assert min(episodes) > 2
        stream.close()

    def test_the_protocol_says_what_is_played(self) -> None:
        env = plugin.make_env(config({"game": "space_invaders", "max_steps": 7}), "train")()
        protocol = env.metadata["protocol"]
        assert json.loads(json.dumps(protocol)) == protocol
        assert protocol == {
            "game": "space_invaders",
            "minatar": importlib.metadata.version("MinAtar"),
            "action_set": "minimal",
            "actions": ["noop", "left", "right", "fire"],
            "channels": ["cannon", "alien", "alien_left", "alien_right", "friendly_bullet", "enemy_bullet"],
            "sticky_action_prob": 0.1,
            "difficulty_ramping": True,
            "max_steps": 7,
            "reward_clip": None,
        }
        assert "protocol" not in MinAtarEnv.metadata

    def test_recommended_values(self) -> None:
        assert plugin.recommended_values(["tabular", "minatar"]) == plugin.RECOMMENDED
        _, found, notes = configure("dqn,c51,per,minatar")
        flat = found.flat()
        assert notes == []
        wanted = {**plugin.RECOMMENDED, **plugin.RECOMMENDED_FOR_DQN}
        assert {key: flat[key] for key in wanted} == wanted

    @pytest.mark.parametrize("game", GAMES)
    def test_dqn_takes_its_first_steps(self, game: Game) -> None:
        values = {"run.steps": 64, "learning.starts": 24, "learning.updates_per_step": 0.5, "minatar.game": game}
        parts = assemble("dqn,minatar,framework.testing", values)
        Loop(parts).run()
        assert parts.counters.updates >= 15
        assert parts.spaces.num_actions == len(MINIMAL[game])
        parts.close()

    def test_a_missing_package_is_named_with_the_command_that_installs_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "minatar", None)
        with pytest.raises(UsageError, match=r"minatar: .* not installed: pip install 'pluggable-q\[minatar\]'"):
            assemble("dqn,minatar")

    def test_a_package_that_is_broken_says_so_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def import_module(module: str) -> Any:
            raise ModuleNotFoundError("No module named 'numpy.missing'", name="numpy.missing")

        monkeypatch.setattr(importlib, "import_module", import_module)
        with pytest.raises(ModuleNotFoundError, match=r"numpy\.missing"):
            MinAtarEnv()

    def test_importing_the_plugin_imports_no_game(self) -> None:
        code = "import sys, envs.minatar; print(sorted({'minatar', 'seaborn', 'pandas', 'torch'} & set(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"
