"""Checks of how an environment's episodes end."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import TimeLimit

from framework.conformance.check import Cause, NotApplicable, Violation, check, expect, require
from framework.conformance.fixtures.environments.episodes import Games, games
from framework.conformance.subject import Subject
from framework.types import Role

ROLES: tuple[Role, ...] = ("train", "evaluate")

LONGEST = 1_000
"""A limit on steps that a check waits for."""


@check(
    "environment",
    "make_env",
    Cause("the episode ended, and neither flag says so", "sail-sg/envpool#239"),
    Cause("None, or a number, where a boolean belongs"),
)
def an_episode_that_ends_says_why(subject: Subject) -> None:
    """Each step says with two booleans whether the episode has ended, and while neither is set it goes on."""
    for role in ROLES:
        with games(subject, 1, role) as opened:
            for seed in range(2):
                moves = opened.moves([seed])
                game = next(moves)[0]
                try:
                    for _ in moves:
                        pass
                except Violation:
                    raise
                except Exception as error:
                    example = {"role": role, "seed": seed, "actions": [*game.actions, opened.attempted]}
                    got = f"{type(error).__name__}: {error}"
                    raise Violation(example, "another step, as neither flag was set", got) from error
                for step, move in enumerate(game.moves, 1):
                    for name, flag in (("terminated", move.terminated), ("truncated", move.truncated)):
                        right = isinstance(flag, bool | np.bool_)
                        example = {"role": role, **game.example(step)}
                        require(right, example=example, expected=f"{name}: a boolean", got=repr(flag))


@check(
    "environment",
    "make_env",
    Cause("the limit ends the Markov process, so that nothing is bootstrapped", "openai/baselines#436"),
)
def a_limit_on_steps_truncates(subject: Subject) -> None:
    """An episode that the declared limit on steps ends is truncated, and none goes on beyond it.

    The limit is that of gymnasium's `TimeLimit`.
    """
    reached = False
    with games(subject, 1) as opened:
        limit = _limit(opened)
        count = opened.num_actions
        for script in ((0, 1 % count), *([action] for action in range(min(count, 4)))):
            played = opened.play([0], steps=limit + 1, actions=script)[0]
            if len(played.moves) < limit:
                continue
            reached = True
            last, steps = played.moves[limit - 1], {"actions, over and over": list(script), "steps": limit}
            require(last.terminated or last.truncated, example=steps, expected="the episode's end", got="no end")
            require(last.truncated, example=steps, expected="truncated", got="terminated alone")
            if not last.terminated:
                break
    if not reached:
        raise NotApplicable(f"no episode of simple actions lasts {limit} steps")


def _limit(opened: Games) -> int:
    found: list[int] = []
    env: Any = opened.singles[0] if opened.singles else None
    while env is not None:
        if isinstance(env, TimeLimit):
            found.append(int(env._max_episode_steps))
        env = getattr(env, "env", None) if isinstance(env, gymnasium.Wrapper) else None
    if not found:
        raise NotApplicable("no limit on the steps is declared")
    if min(found) > LONGEST:
        raise NotApplicable(f"the limit of {min(found)} steps is too far away")
    return min(found)


@check(
    "environment",
    "make_env",
    Cause("a wrapper that ends episodes at a lost life, in evaluation, too", "Farama-Foundation/Gymnasium#166"),
    Cause("a lost life that the reset takes for the end", "DLR-RM/stable-baselines3#1060"),
)
def evaluation_plays_on_after_a_lost_life(subject: Subject) -> None:
    """In the role "evaluate" no episode ends because one of several lives was lost."""
    with games(subject, role="evaluate") as opened:
        for seeds in ((0, 1), (2, 3), (4, 5)):
            played = opened.play(seeds)
            lives = [[int(move.info.get("lives", 0)) for move in game.moves] for game in played]
            if not any(map(any, lives)):
                raise NotApplicable("the environment's info names no lives")
            for game, left in zip(played, lives, strict=True):
                lost = len(left) > 1 and 0 < left[-1] < left[-2] and bool(game.moves[-1].terminated)
                example = {**game.example(len(game.moves)), "lives": left[-2:]}
                require(not lost, example=example, expected="an episode that goes on", got="terminated")


@check(
    "environment",
    "make_env",
    Cause("the last observation is the internal array, which the reset overwrites", "Farama-Foundation/Gymnasium#1132"),
    Cause("an episode ended with neither flag", "sail-sg/envpool#239"),
)
def final_observations_survive_the_reset(subject: Subject) -> None:
    """Under SAME_STEP each end, and nothing else, brings its `final_obs`, which no later step changes."""
    with games(subject) as opened:
        if opened.vector is None or opened.mode is not AutoresetMode.SAME_STEP:
            raise NotApplicable("the plugin makes no vector environment that resets itself in the same step")
        env, count = opened.vector, opened.count
        opened.play((0, 1), steps=1)
        kept: list[tuple[int, int, Any, Any]] = []
        rng = np.random.default_rng(0)
        for step in range(1, 41):
            _, _, terminated, truncated, info = env.step(rng.integers(opened.num_actions, size=count))
            final = info.get("final_obs", np.full(count, None))
            for row in range(count):
                ended = bool(terminated[row] or truncated[row])
                given = final[row] is not None and bool(info.get("_final_obs", terminated | truncated)[row])
                words = {True: "a final_obs", False: "none"}
                example = {"step": step, "environment": row, "ended": ended}
                require(ended == given, example=example, expected=words[ended], got=words[given])
                # an array for all games is filled by the vector environment; one by one, they come from the games
                if ended and final.dtype == object:
                    kept.append((step, row, final[row], np.array(final[row])))
        for step, row, reference, value in kept:
            expect(reference, value, example={"final_obs of step": step, "environment": row, "read at step": 40})
