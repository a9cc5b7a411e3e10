"""Each wrapper on scripted environments, where the answer is known."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from hypothesis import given
from hypothesis import strategies as st

from plugins.atari.wrappers import ChannelFirst, FireReset, FrameSkip, NoopReset, ScaleToUnit, StackFrames


class ScriptedEnv(gymnasium.Env[Any, Any]):
    """Frame t (from 0 at the reset) is a 3 × 5 picture with one bright pixel, at t, of brightness 100 + t.

    The reward of step t is t, and the episode ends after `length` steps. Every frame is the same array, as in many
    environments. The environment records its actions.
    """

    def __init__(
        self, length: int = 1_000, truncates: bool = False, actions: tuple[str, ...] = ("NOOP", "FIRE")
    ) -> None:
        self.observation_space = Box(0, 255, (3, 5), np.uint8)
        self.action_space = Discrete(len(actions))
        self.length, self.truncates, self.meanings = length, truncates, list(actions)
        self.taken: list[list[int]] = []
        self.time = 0
        self._frame = np.zeros((3, 5), np.uint8)

    def get_action_meanings(self) -> list[str]:
        return self.meanings

    def picture(self, time: int) -> np.ndarray:
        frame = np.zeros(15, np.uint8)
        frame[time % 15] = 100 + time % 100
        return frame.reshape(3, 5)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.taken.append([])
        self.time = 0
        self._frame[:] = self.picture(0)
        return self._frame, {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.time < self.length, "stepped after the end"
        self.taken[-1].append(action)
        self.time += 1
        self._frame[:] = self.picture(self.time)
        over = self.time == self.length
        return self._frame, float(self.time), over and not self.truncates, over and self.truncates, {"time": self.time}


@given(skip=st.integers(1, 6), length=st.integers(1, 20), truncates=st.booleans())
def test_frame_skip_shows_the_last_two_frames_of_each_skip_wherever_the_episode_ends(
    skip: int, length: int, truncates: bool
) -> None:
    script = ScriptedEnv(length, truncates)
    env = FrameSkip(script, skip)
    env.reset()
    start = 0
    while start < length:
        obs, reward, terminated, truncated, info = env.step(1)
        end = min(start + skip, length)
        shown = [script.picture(time) for time in range(start + 1, end + 1)][-2:]
        np.testing.assert_array_equal(obs, np.max(shown, axis=0))
        assert reward == sum(range(start + 1, end + 1))
        assert (terminated, truncated) == ((end == length) and not truncates, (end == length) and truncates)
        assert info == {"time": end}
        start = end
    assert script.taken == [[1] * length]


def test_frame_skip_hands_out_arrays_of_its_own() -> None:
    env = FrameSkip(ScriptedEnv(), 1)
    env.reset()
    first = env.step(0)[0]
    kept = first.copy()
    env.step(0)
    np.testing.assert_array_equal(first, kept)


def test_fire_reset_presses_fire_once_an_episode_and_returns_what_follows() -> None:
    script = ScriptedEnv()
    env = FireReset(script)
    for _ in range(2):
        obs, _ = env.reset()
        np.testing.assert_array_equal(obs, script.picture(1))
    assert script.taken == [[1], [1]]


def test_fire_reset_does_nothing_where_fire_is_no_action() -> None:
    script = ScriptedEnv(actions=("NOOP", "UP"))
    obs, _ = FireReset(script).reset()
    np.testing.assert_array_equal(obs, script.picture(0))
    assert script.taken == [[]]


@given(most=st.integers(1, 30), seed=st.integers(0, 2**31 - 1))
def test_noop_reset_takes_one_to_most_no_ops_decided_by_the_seed(most: int, seed: int) -> None:
    script = ScriptedEnv()
    env = NoopReset(script, most)
    for _ in range(2):
        obs, _ = env.reset(seed=seed)
        np.testing.assert_array_equal(obs, script.picture(script.time))
    first, second = script.taken
    assert first == second == [0] * len(first)
    assert 1 <= len(first) <= most


def test_noop_reset_takes_every_number_of_no_ops_and_goes_on_without_new_seeds() -> None:
    script = ScriptedEnv()
    env = NoopReset(script, 5)
    env.reset(seed=0)
    for _ in range(60):
        env.reset()
    assert {len(taken) for taken in script.taken} == {1, 2, 3, 4, 5}


def test_a_start_that_ends_the_episode_begins_another() -> None:
    script = ScriptedEnv(length=2)
    obs, _ = NoopReset(script, 30).reset(seed=1)
    assert len(script.taken) > 1
    assert script.time < 2
    np.testing.assert_array_equal(obs, script.picture(script.time))


@pytest.mark.parametrize(("most", "actions"), [(0, ("NOOP",)), (3, ("FIRE",))])
def test_noop_reset_refuses_what_it_cannot_do(most: int, actions: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="NoopReset"):
        NoopReset(ScriptedEnv(actions=actions), most)


def test_frame_skip_refuses_no_frames() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        FrameSkip(ScriptedEnv(), 0)


def test_channel_first_turns_images_into_tensors() -> None:
    grey = ChannelFirst(ScriptedEnv())
    obs, _ = grey.reset()
    assert obs.shape == grey.observation_space.shape == (1, 3, 5)
    script = ScriptedEnv()
    script.observation_space = Box(0, 255, (3, 5, 2), np.uint8)
    colour = ChannelFirst(script)
    picture = np.arange(30, dtype=np.uint8).reshape(3, 5, 2)
    assert colour.observation_space.shape == (2, 3, 5)
    np.testing.assert_array_equal(colour.observation(picture)[1], picture[:, :, 1])


def test_channel_first_refuses_what_is_no_image() -> None:
    script = ScriptedEnv()
    script.observation_space = Box(0, 255, (3,), np.uint8)
    with pytest.raises(ValueError, match="image"):
        ChannelFirst(script)


@given(
    k=st.integers(1, 5), padding=st.sampled_from(["repeat", "zero"]), lengths=st.lists(st.integers(0, 7), max_size=3)
)
def test_stacks_are_the_last_k_frames_of_this_episode_oldest_first(k: int, padding: Any, lengths: list[int]) -> None:
    script = ScriptedEnv()
    env = StackFrames(ChannelFirst(script), k, padding)
    for length in lengths:
        observations = [env.reset()[0], *(env.step(0)[0] for _ in range(length))]
        for time, obs in enumerate(observations):
            before = script.picture(0) if padding == "repeat" else np.zeros((3, 5), np.uint8)
            expected = [script.picture(t) if t >= 0 else before for t in range(time - k + 1, time + 1)]
            np.testing.assert_array_equal(obs, np.stack(expected))
            assert obs in env.observation_space
            assert obs.dtype == env.observation_space.dtype


def test_scaled_pixels_fill_zero_to_one() -> None:
    env = ScaleToUnit(ScriptedEnv())
    assert env.observation_space == Box(0.0, 1.0, (3, 5), np.float32)
    scaled = env.observation(np.array([0, 51, 255], np.uint8))
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [0.0, 0.2, 1.0])


@pytest.mark.parametrize("wrapper", [ScaleToUnit, ChannelFirst, lambda env: StackFrames(env, 2)])
def test_wrappers_of_pixels_refuse_anything_else(wrapper: Any) -> None:
    script = ScriptedEnv()
    script.observation_space = Box(0.0, 1.0, (3, 5), np.float32)
    with pytest.raises(TypeError, match="uint8"):
        wrapper(script)
