"""The two back ends play the same game, and tests pin down the known differences."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from plugins.pong.native import NativePong
from plugins.pong.options import ACTION_SETS, PongOptions
from plugins.pong.single import pong_env

plain = partial(PongOptions, noop_max=0, view="screen", actions="moves")
"""Options without no-ops, which each back end draws differently."""

BACKENDS = ["native", "wrappers"]


def make(backend: str, options: PongOptions, games: int = 1) -> Any:
    if backend == "native":
        return NativePong(options, games)
    return SyncVectorEnv([lambda: pong_env(options)] * games, autoreset_mode=AutoresetMode.DISABLED)


def compare(options: PongOptions, steps: int, games: int = 1, reseed: bool = True) -> tuple[list[bool], list[float]]:
    """Step both with the same random actions and seeds. All but the last frames must be equal.

    Returns, for each episode that ended, whether its last frames were equal, and its return.
    """
    native, singles = (make(backend, options, games) for backend in BACKENDS)
    rng = np.random.default_rng(7)
    last_equal: list[bool] = []
    returns: list[float] = []
    total = np.zeros(games)
    actions = np.zeros(games, np.int64)
    seeds: list[int] = rng.integers(2**31, size=games).tolist()
    np.testing.assert_array_equal(native.reset(seed=seeds)[0], singles.reset(seed=seeds)[0])
    for _ in range(steps):
        fresh = rng.random(games) < 0.15  # repeated actions lose sooner, so more games end
        actions = np.where(fresh, rng.integers(len(ACTION_SETS[options.actions]), size=games), actions)
        ours, reward, terminated, truncated, info = native.step(actions)
        theirs, *rest, infos = singles.step(actions)
        for left, right in zip((reward, terminated, truncated), rest, strict=True):
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype
        np.testing.assert_array_equal(info["episode_frame_number"], infos["episode_frame_number"])
        ended = terminated | truncated
        np.testing.assert_array_equal(ours[~ended], theirs[~ended])
        total += reward
        if ended.any():
            last_equal += [bool((ours[game] == theirs[game]).all()) for game in np.flatnonzero(ended)]
            returns += total[ended].tolist()
            total[ended] = 0
            fresh_seeds = rng.integers(2**31, size=games).tolist() if reseed else None
            ours = native.reset(seed=fresh_seeds, options={"reset_mask": ended})[0]
            theirs = singles.reset(seed=fresh_seeds, options={"reset_mask": ended})[0]
            np.testing.assert_array_equal(ours, theirs)
    native.close()
    singles.close()
    return last_equal, returns


@pytest.mark.parametrize(("size", "games"), [(42, 2), (84, 1)])
def test_whole_games_are_equal_but_for_the_stale_last_frame_of_the_native_back_end(size: int, games: int) -> None:
    last_equal, returns = compare(plain(size=size), steps=900, games=games)
    assert len(returns) >= games
    assert all(-21 <= value <= -15 for value in returns), "random play loses, and by at most 21"
    assert not any(last_equal)


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"size": 42, "frame_skip": 3, "actions": "full", "max_frames": 250}, 200),
        ({"size": 50, "frame_skip": 2, "actions": "minimal", "max_frames": 131}, 150),
        ({"size": 36, "frame_skip": 1, "max_frames": 60}, 150),
        ({"size": 42, "view": "court", "actions": "fast", "max_frames": 200}, 150),
        ({"size": 210, "fire_on_reset": True, "max_frames": 200}, 120),
        ({"size": 42, "sticky": 0.25, "max_frames": 300}, 160),
        ({"size": 42, "sticky": 1.0, "max_frames": 150}, 40),
    ],
    ids=lambda value: "" if isinstance(value, int) else "-".join(f"{k}={v}" for k, v in value.items()),
)
def test_every_rule_that_both_know_means_the_same_in_both(options: dict[str, Any], steps: int) -> None:
    last_equal, _ = compare(plain(**options), steps)
    assert last_equal, "truncated episodes were meant to be among them"


def test_resets_without_seeds_agree_where_nothing_is_drawn() -> None:
    last_equal, _ = compare(plain(max_frames=100), steps=80, reseed=False)
    assert len(last_equal) == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_end_by_points_counts_as_termination_even_at_the_frame_limit(backend: str) -> None:
    """Without a move the game lasts 3,056 frames."""
    env = make(backend, plain(frame_skip=8, max_frames=3_056))
    env.reset(seed=[0])
    ends = [tuple(bool(flag[0]) for flag in env.step(np.zeros(1, np.int64))[2:4]) for _ in range(3_056 // 8)]
    assert ends[-1] == (True, False)
    assert set(ends[:-1]) == {(False, False)}


def noops(backend: str, most: int, fire: bool = False) -> list[int]:
    """Emulator frames that pass before an episode's first observation, for seeds 0, 1, …"""
    seeds = 6 if backend == "native" else 24  # each costs the native back end 0.2 seconds
    env = make(backend, plain(noop_max=most, fire_on_reset=fire))
    return [int(env.reset(seed=[seed])[1]["episode_frame_number"][0]) for seed in range(seeds)]


def test_no_ops_are_counted_from_zero_by_native_and_from_one_by_wrappers_and_drawn_differently() -> None:
    native, wrappers = noops("native", 3), noops("wrappers", 3)
    assert set(native) == {0, 1, 2}
    assert set(wrappers) == {1, 2, 3}
    assert [count + 1 for count in native] != wrappers[: len(native)]


def test_fire_takes_the_place_of_one_no_op_in_native_and_comes_before_them_in_wrappers() -> None:
    assert set(noops("native", 3, fire=True)) == {1, 2}
    assert set(noops("wrappers", 3, fire=True)) == {2, 3, 4}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("options", "matters"), [({}, False), ({"sticky": 0.25}, True), ({"noop_max": 30}, True)])
def test_the_seed_decides_the_game_where_anything_is_drawn_and_nothing_elsewhere(
    backend: str, options: dict[str, Any], matters: bool
) -> None:
    env = make(backend, plain(**options))
    games = [play(env, seed, steps=40) for seed in (5, 6, 5)]
    assert games[0] == games[2]
    assert (games[0] != games[1]) == matters


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_game_begun_again_is_as_good_as_a_new_one(backend: str) -> None:
    """A reset must clear everything, also if it does not load the emulator again (where nothing is drawn)."""
    env, new = (make(backend, plain()) for _ in range(2))
    first = play(env, seed=1, steps=80)
    play(env, seed=2, steps=33)
    assert play(env, seed=3, steps=80) == first == play(new, seed=4, steps=80)


def play(env: Any, seed: int, steps: int) -> list[bytes]:
    """The frames of a game's beginning, always with the same random actions."""
    rng = np.random.default_rng(0)
    frames = [env.reset(seed=[seed])[0].tobytes()]
    return frames + [env.step(rng.integers(3, size=1))[0].tobytes() for _ in range(steps)]
