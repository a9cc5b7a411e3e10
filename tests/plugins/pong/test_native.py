"""The native back end as a vector environment: resets, arrays, the two halves of a step, errors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from gymnasium.error import AlreadyPendingCallError, NoAsyncCallError, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.pong.native import NativePong
from plugins.pong.options import PongOptions

plain = partial(PongOptions, noop_max=0, view="screen", actions="moves")
"""Options without no-ops, which each back end draws differently."""

GAMES = 3


@pytest.fixture(scope="module")
def shared() -> Iterator[NativePong]:
    env = NativePong(plain(max_frames=4_000), GAMES)
    yield env
    env.close()


@pytest.fixture
def env(shared: NativePong) -> NativePong:
    """Three games about to begin."""
    shared.reset(seed=[0, 1, 2])
    return shared


def test_spaces_shapes_and_types(env: NativePong) -> None:
    assert env.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    assert env.single_observation_space.shape == (42, 42)
    assert env.num_envs == GAMES
    results = env.step(env.action_space.sample())
    assert [(array.shape, array.dtype) for array in results[:4]] == [
        ((GAMES, 42, 42), np.uint8),
        ((GAMES,), np.float64),
        ((GAMES,), np.bool_),
        ((GAMES,), np.bool_),
    ]
    assert results[0] in env.observation_space


@settings(max_examples=8)
@given(mask=st.lists(st.booleans(), min_size=GAMES, max_size=GAMES).filter(any), steps=st.integers(1, 20))
def test_a_masked_reset_starts_the_masked_games_and_leaves_the_others_alone(
    shared: NativePong, mask: list[bool], steps: int
) -> None:
    masked = np.array(mask)
    start = shared.reset(seed=[0, 1, 2])[0].copy()
    for number in range(steps):
        before = shared.step(np.full(GAMES, 1 + number % 2))[0].copy()
    after, info = shared.reset(seed=[3, 4, 5], options={"reset_mask": masked})
    np.testing.assert_array_equal(after[masked], start[masked])
    np.testing.assert_array_equal(after[~masked], before[~masked])
    np.testing.assert_array_equal(info["episode_frame_number"], np.where(masked, 0, 4 * steps))
    # the next step is a true step for every game: no row is spent on a reset
    info = shared.step(np.zeros(GAMES, np.int64))[4]
    np.testing.assert_array_equal(info["episode_frame_number"], np.where(masked, 4, 4 * steps + 4))


@settings(max_examples=6)
@given(data=st.data(), resets=st.integers(1, 4))
def test_a_game_without_a_seed_depends_on_the_last_seed_and_the_resets_since(data: st.DataObject, resets: int) -> None:
    """The metadata declare it: the games between, and other consoles, have no influence."""
    games = []
    for _ in range(2):
        env = NativePong(PongOptions(), 2)
        assert env.metadata["episodes_per_seed"] > 1
        env.reset(seed=[11, 22])
        for _ in range(resets):
            for action in data.draw(st.lists(st.integers(0, 2), max_size=60)):
                env.step(np.array([action, 2 - action]))
            start, info = env.reset(options={"reset_mask": np.array([False, True])})
        frames = [start[1].tobytes(), info["episode_frame_number"][1]]
        frames += [env.step(np.array([0, number % 3]))[0][1].tobytes() for number in range(30)]
        games.append(frames)
        env.close()
    assert games[0] == games[1]


@pytest.mark.parametrize("options", [PongOptions(sticky=0.25), PongOptions(sticky=0.25, noop_max=0)])
def test_where_play_draws_random_numbers_every_game_has_a_seed(options: PongOptions) -> None:
    env = NativePong(options, 1)
    assert env.metadata.get("episodes_per_seed", 1) == 1
    env.close()


def test_the_step_after_a_reset_of_a_finished_game_is_a_true_one() -> None:
    env = NativePong(plain(max_frames=20), 2)
    env.reset(seed=[0, 1])
    env.step(np.array([1, 1]))
    env.reset(seed=[5, 6], options={"reset_mask": np.array([False, True])})
    for _ in range(4):
        _, _, _, truncated, _ = env.step(np.array([1, 1]))
    assert truncated.tolist() == [True, False]
    env.reset(seed=[7, 8], options={"reset_mask": truncated})
    frames = [env.step(np.array([2, 2]))[4]["episode_frame_number"].tolist()]
    assert frames == [[4, 20]]


def test_returned_arrays_are_never_written_to_again(env: NativePong) -> None:
    rng = np.random.default_rng(0)
    kept, copies = [], []
    for number in range(80):
        arrays = env.step(rng.integers(3, size=GAMES))[:4]
        if number % 20 == 19:
            arrays += env.reset(seed=[0, 1, 2], options={"reset_mask": np.array([True, False, True])})[:1]
        kept.append(arrays)
        copies.append([array.copy() for array in arrays])
    for left, right in zip(kept, copies, strict=True):
        for array, copy in zip(left, right, strict=True):
            np.testing.assert_array_equal(array, copy)


def test_the_two_halves_of_a_step_are_the_step(env: NativePong) -> None:
    actions = np.random.default_rng(1).integers(3, size=(60, GAMES))
    whole = [env.step(action) for action in actions]
    env.reset(seed=[0, 1, 2])
    for action, expected in zip(actions, whole, strict=True):
        env.step_async(action)
        for left, right in zip(env.step_wait()[:4], expected[:4], strict=True):
            np.testing.assert_array_equal(left, right)


def test_rewards_are_raw_points(env: NativePong) -> None:
    rewards = np.array([env.step(np.zeros(GAMES, np.int64))[1] for _ in range(300)])
    assert set(np.unique(rewards)) == {-1.0, 0.0}
    np.testing.assert_array_equal(rewards.sum(axis=0), [-7.0] * GAMES)  # a still paddle loses a point each 140 frames


def test_right_is_up_left_is_down_and_the_three_moves_differ(env: NativePong) -> None:
    for _ in range(3):
        frames = env.step(np.array([0, 1, 2]))[0]
    paddles = frames[:, 8:38, 37] > 110  # the agent's paddle, brighter than the table
    still, up, down = (np.flatnonzero(paddle).mean() for paddle in paddles)
    assert up < still < down


def test_the_shared_metadata_of_gymnasium_stays_as_it_was(env: NativePong) -> None:
    """ALE's constructor writes its autoreset mode into a dict. This must not be the dict of all vector environments."""
    assert "autoreset_mode" not in VectorEnv.metadata


@pytest.mark.parametrize(
    "actions", [[0, 0], [0, 0, 3], [0, 0, -1], [0.0, 0.0, 0.0], [[0, 0, 0]]], ids=["few", "high", "low", "float", "2d"]
)
def test_actions_that_would_hang_the_emulator_are_refused(env: NativePong, actions: list[int]) -> None:
    with pytest.raises(ValueError, match="actions must"):
        env.step(np.array(actions))
    env.step(np.zeros(GAMES, np.int64))  # and the environment still works


@pytest.mark.parametrize("seed", [[1, 2], [1, 2, -1], [1, 2, 2**31], 2**31 - 1], ids=["few", "low", "high", "overflow"])
def test_seeds_out_of_range_are_refused(env: NativePong, seed: int | list[int]) -> None:
    with pytest.raises(ValueError, match="seeds"):
        env.reset(seed=seed)


@pytest.mark.parametrize("mask", [np.zeros(GAMES, bool), np.ones(2, bool), np.ones(GAMES), [True] * GAMES])
def test_masks_that_select_nothing_or_do_not_fit_are_refused(env: NativePong, mask: object) -> None:
    with pytest.raises(ValueError, match="reset_mask"):
        env.reset(seed=[0, 1, 2], options={"reset_mask": mask})


def test_calls_out_of_order_are_refused(env: NativePong) -> None:
    with pytest.raises(NoAsyncCallError):
        env.step_wait()
    env.step_async(np.zeros(GAMES, np.int64))
    with pytest.raises(AlreadyPendingCallError):
        env.step_async(np.zeros(GAMES, np.int64))
    with pytest.raises(AlreadyPendingCallError):
        env.reset(seed=0)
    env.step_wait()


def test_games_must_be_reset_before_they_are_played() -> None:
    env = NativePong(plain(max_frames=4), 1)
    with pytest.raises(ResetNeeded, match=r"\[0\]"):
        env.step(np.zeros(1, np.int64))
    env.reset(seed=[None])
    env.step(np.zeros(1, np.int64))
    with pytest.raises(ResetNeeded, match=r"\[0\]"):
        env.step(np.zeros(1, np.int64))
    env.close()
    env.close()


def test_resetting_one_finished_game_does_not_excuse_another() -> None:
    env = NativePong(plain(max_frames=4), 2)
    env.reset(seed=0)
    env.step(np.zeros(2, np.int64))
    env.reset(seed=0, options={"reset_mask": np.array([True, False])})
    with pytest.raises(ResetNeeded, match=r"\[1\]"):
        env.step(np.zeros(2, np.int64))


def test_a_first_reset_must_be_of_all_games_and_closing_waits_for_a_step_under_way() -> None:
    env = NativePong(plain(), 2)
    with pytest.raises(ResetNeeded, match="first reset"):
        env.reset(seed=[0, 1], options={"reset_mask": np.array([True, False])})
    env.reset(seed=3)
    env.step_async(np.zeros(2, np.int64))
    env.close()
    assert env.closed
