"""Checks of a game with lives on the real emulator, in both back ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from framework.conformance.check import Cause, check, expect, require
from framework.conformance.subject import Subject
from framework.types import Role
from plugins.atari.game import game_of
from plugins.atari.options import AtariOptions

STEPS = 110
"""Breakout loses four of five lives in so many steps, if the ball is served and the paddle stays where it is."""

FIRE = 1
"""The action of Breakout that serves the ball."""


def _infos(role: Role) -> Iterator[tuple[str, list[tuple[bool, dict[str, int]]]]]:
    """Yield (back end, (terminated, info) of each step) of a game of Breakout in each back end."""
    from plugins.atari.native import NativeGames
    from plugins.atari.single import game_env

    game = game_of(AtariOptions.model_validate({"noop_max": 0}))
    single, native = game_env(game, role), NativeGames(game, 1, role)
    single.reset(seed=0)
    steps = [single.step(FIRE) for _ in range(STEPS)]
    yield "wrappers", [(bool(terminated), dict(info)) for _, _, terminated, _, info in steps]
    native.reset(seed=0)
    rows = [native.step(np.array([FIRE])) for _ in range(STEPS)]
    yield "native", [(bool(row[2][0]), {key: values[0] for key, values in row[4].items()}) for row in rows]
    single.close()
    native.close()


@check(
    "environment",
    "make_env",
    Cause("the game is reset at a lost life", "Farama-Foundation/Gymnasium#166"),
    Cause("one back end does not count the lives"),
)
def a_lost_life_is_told_and_the_game_goes_on(subject: Subject) -> None:
    """In training, each step that loses a life says so in `info`, and the game goes on from where it is."""
    for backend, steps in _infos("train"):
        lives = [5, *(int(info["lives"]) for _, info in steps)]
        example: dict[str, Any] = {"game": "breakout", "back end": backend, "steps": STEPS, "action": "FIRE"}
        require(lives[-1] < 4, example=example, expected="at least two lost lives", got=f"{lives[-1]} of 5 lives")
        told = [info.get("life_lost", False) for _, info in steps]
        expect(np.array(told, np.bool_), np.diff(lives) < 0, example={**example, "told": "life_lost of each step"})
        require(not any(over for over, _ in steps), example=example, expected="one game", got="an end")
        frames = [int(info["episode_frame_number"]) for _, info in steps]
        expect(np.diff(frames), np.full(STEPS - 1, 4), example={**example, "measured": "the emulator's frames"})


@check("environment", "make_env", Cause("evaluations have the learner's short episodes"))
def evaluations_know_no_lives(subject: Subject) -> None:
    """In the role "evaluate", no step says that a life was lost."""
    for backend, steps in _infos("evaluate"):
        told = [step for step, (_, info) in enumerate(steps) if info.get("life_lost", False)]
        example = {"game": "breakout", "back end": backend, "role": "evaluate", "action": "FIRE"}
        require(not told, example=example, expected="no life_lost", got=f"life_lost at the steps {told}")
