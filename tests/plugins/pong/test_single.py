"""Single games: gymnasium's own checks, the chapter's wrappers, and gymnasium's preprocessing as a reference."""

from __future__ import annotations

from collections import deque
from functools import partial

import ale_py
import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import AtariPreprocessing

from plugins.pong.options import ACTION_SETS, PongOptions
from plugins.pong.single import chapter_stack, pong_env

plain = partial(PongOptions, noop_max=0, view="screen", actions="moves")
"""Options without no-ops, which each back end draws differently."""


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version.*")
@pytest.mark.parametrize("options", [{}, {"noop_max": 5, "fire_on_reset": True, "actions": "full"}])
def test_gymnasium_accepts_it(options: dict[str, object]) -> None:
    env = pong_env(plain(**options))  # type: ignore[arg-type]
    # the two skipped checks make the environment from a registered name, and it has none
    check_env(env, skip_render_check=True, skip_close_check=True)
    env.close()
    env.close()


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_seeds_that_the_emulator_cannot_take_are_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        pong_env(plain()).reset(seed=seed)


def test_the_picture_shown_is_the_console_s_screen_in_colour() -> None:
    env = pong_env(plain(), role="watch", render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (210, 160, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 2
    assert env.metadata["render_fps"] == 15


def test_frames_are_those_of_gymnasium_s_preprocessing() -> None:
    gymnasium.register_envs(ale_py)
    emulator = gymnasium.make("ALE/Pong-v5", frameskip=1, repeat_action_probability=0.0, disable_env_checker=True)
    reference = AtariPreprocessing(emulator, noop_max=0, frame_skip=4, screen_size=84)
    ours = pong_env(plain(size=84, actions="minimal"))
    np.testing.assert_array_equal(ours.reset(seed=0)[0], reference.reset(seed=0)[0])
    rng = np.random.default_rng(0)
    for action in rng.integers(6, size=80):
        left, right = ours.step(action), reference.step(action)
        np.testing.assert_array_equal(left[0], right[0])
        assert left[1:4] == right[1:4]


def test_the_chapter_s_stack_is_the_frames_of_the_engine_stacked_and_scaled() -> None:
    chapter = chapter_stack()
    assert chapter.observation_space == gymnasium.spaces.Box(0.0, 1.0, (4, 84, 84), np.float32)
    assert chapter.action_space == gymnasium.spaces.Discrete(6)
    single = pong_env(plain(size=84, actions="minimal"))
    single.reset(seed=0)
    frames = deque([single.step(1)[0]] * 4, maxlen=4)  # the chapter's FIRE on reset, held for a whole skip
    obs, _ = chapter.reset(seed=0)
    for action in np.random.default_rng(0).integers(6, size=60):
        assert obs.dtype == np.float32
        np.testing.assert_allclose(obs, np.stack(frames) / 255, atol=1e-6)
        obs = chapter.step(action)[0]
        frames.append(single.step(action)[0])


def test_up_and_down_do_nothing_and_fire_matters_once_the_ball_is_hit() -> None:
    env = pong_env(plain(actions="full"))

    def play(*names: str) -> list[bytes]:
        """The frames of the same random moves (none, up, down), made with the actions of these names."""
        actions = [ACTION_SETS["full"].index(name) for name in names]
        rng = np.random.default_rng(0)
        env.reset(seed=0)
        return [env.step(actions[rng.integers(3)])[0].tobytes() for _ in range(150)]

    quiet, fired = play("NOOP", "RIGHT", "LEFT"), play("FIRE", "RIGHTFIRE", "LEFTFIRE")
    assert quiet == play("UP", "UPRIGHT", "DOWNLEFT")
    assert quiet[:50] == fired[:50], "the ball has not reached the paddle yet"
    assert quiet != fired
