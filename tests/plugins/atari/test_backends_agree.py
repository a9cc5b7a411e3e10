"""The two back ends play the same game: the same frames, rewards, ends and lost lives, in every game of ale-py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plugins.atari.game import game_of
from plugins.atari.games import GAMES
from plugins.atari.native import NativeGames
from plugins.atari.options import AtariOptions
from plugins.atari.single import game_env

TEN = (
    *("breakout", "space_invaders", "freeway", "seaquest", "assault", "beam_rider", "montezuma_revenge"),
    *("carnival", "qbert", "lost_luggage"),
)
"""Games with and without lives, with another height of the screen, without a button, and some that need a new start."""

RULES: dict[str, dict[str, Any]] = {
    "2015": {},
    "2018": {"sticky": 0.25, "actions": "full", "life_loss": False},
    "others": {"size": 50, "view": "court", "frame_skip": 3, "fire_on_reset": True, "max_frames": 240, "sticky": 0.1},
}
"""Rules without no-ops, which each back end draws differently."""


def compare(game: str, rules: dict[str, Any], steps: int) -> tuple[int, int]:
    """Step both with the same random actions and seeds, and demand that they agree. Return lost lives and ends.

    The native back end's last frame of an episode is stale, and is not compared.
    """
    played = game_of(AtariOptions(game=game, noop_max=0, **rules))
    native, single = NativeGames(played, 1), game_env(played)
    assert native.single_action_space == single.action_space
    rng = np.random.default_rng(0)
    lost = ends = action = 0
    np.testing.assert_array_equal(native.reset(seed=[5])[0][0], single.reset(seed=5)[0])
    for _ in range(steps):
        if rng.random() < 0.3:
            action = int(rng.integers(single.action_space.n))  # type: ignore[attr-defined]  # Discrete
        ours, *rest, info = native.step(np.array([action]))
        theirs, *wanted, told = single.step(action)
        assert [values[0] for values in rest] == wanted
        assert ("life_lost" in told) == ("life_lost" in info) == played.life_loss
        if played.life_loss:
            assert bool(info["life_lost"][0]) == told["life_lost"]
            lost += told["life_lost"]
        if wanted[1] or wanted[2]:
            ends += 1
            ours, theirs = native.reset(seed=[5 + ends])[0], single.reset(seed=5 + ends)[0]
        np.testing.assert_array_equal(ours[0], theirs)
    native.close()
    single.close()
    return lost, ends


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("game", TEN)
def test_ten_games_are_equal_under_three_sets_of_rules(game: str, rules: str) -> None:
    _, ends = compare(game, RULES[rules], steps=100)
    assert rules != "others" or ends, "truncated games were meant to be among them"


@pytest.mark.parametrize("game", ["breakout", "space_invaders", "freeway", "seaquest"])
def test_a_few_hundred_steps_of_four_games_are_equal_over_lost_lives_and_ends(game: str) -> None:
    lost, _ = compare(game, {}, steps=350)
    assert (lost >= 2) == (game != "freeway"), "Freeway has no lives"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("game", GAMES)
def test_every_game_is_equal(game: str) -> None:
    compare(game, RULES["2015"], steps=200)
    compare(game, {**RULES["2018"], "view": "court", "fire_on_reset": True, "max_frames": 500}, steps=200)
