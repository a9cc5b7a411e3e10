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
"""The largest step limit that a check plays up to."""

PATIENCE = 20_000
"""Steps of random actions in which an episode should end."""


@check(
    "environment",
    "make_env",
    Cause("the episode ended, but neither flag is set", "sail-sg/envpool#239"),
    Cause("None or a number instead of a boolean"),
)
def an_episode_that_ends_says_why(subject: Subject) -> None:
    """Each step returns `terminated` and `truncated` as booleans, and the episode continues while both are false."""
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
                    example = {"role": role, "seed": seed, "actions": [*game.actions, opened.latest_action]}
                    got = f"{type(error).__name__}: {error}"
                    raise Violation(example, "another step, because neither flag was set", got) from error
                for step, move in enumerate(game.moves, 1):
                    for name, flag in (("terminated", move.terminated), ("truncated", move.truncated)):
                        right = isinstance(flag, bool | np.bool_)
                        example = {"role": role, **game.example(step)}
                        require(right, example=example, expected=f"{name}: a boolean", got=repr(flag))


@check(
    "environment",
    "make_env",
    Cause("a task without an end has no limit on its steps: wrap it in gymnasium.wrappers.TimeLimit"),
    Cause("only a good agent can end an episode, so that an evaluation of a bad one never ends"),
)
def an_episode_ends(subject: Subject) -> None:
    """An episode of random actions ends within 20,000 steps, unless the environment declares a limit on its steps."""
    with games(subject, 1, "evaluate") as opened:
        if not opened.singles:
            raise NotApplicable("the plugin makes a vector environment")
        env, rng = opened.singles[0], np.random.default_rng(0)
        if _limits(env):
            return
        obs, info = env.reset(seed=0)
        for _ in range(PATIENCE):
            action = opened.allowed(int(rng.integers(opened.num_actions)), obs, info)
            obs, _, terminated, truncated, info = env.step(opened.given([action])[0])
            if terminated or truncated:
                return
        raise Violation(f"{PATIENCE:,} random steps", "an end of the episode, or a declared limit", "neither")


@check(
    "environment",
    "make_env",
    Cause("the limit is reported as a termination, so that nothing is bootstrapped", "openai/baselines#436"),
)
def a_limit_on_steps_truncates(subject: Subject) -> None:
    """An episode that reaches the declared step limit is truncated there.

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
            last, steps = played.moves[limit - 1], {"actions, repeated": list(script), "steps": limit}
            require(last.terminated or last.truncated, example=steps, expected="the end of the episode", got="no end")
            require(last.truncated, example=steps, expected="truncated", got="only terminated")
            if not last.terminated:
                break
    if not reached:
        raise NotApplicable(f"no episode with simple actions lasts {limit} steps")


def _limits(env: Any) -> list[int]:
    found = []
    while env is not None:
        if isinstance(env, TimeLimit):
            found.append(int(env._max_episode_steps))
        env = getattr(env, "env", None) if isinstance(env, gymnasium.Wrapper) else None
    return found


def _limit(opened: Games) -> int:
    found = _limits(opened.singles[0]) if opened.singles else []
    if not found:
        raise NotApplicable("the environment declares no step limit")
    if min(found) > LONGEST:
        raise NotApplicable(f"the step limit of {min(found)} is too large for a check")
    return min(found)


@check(
    "environment",
    "make_env",
    Cause("a wrapper that ends episodes at a lost life, also in evaluations", "Farama-Foundation/Gymnasium#166"),
    Cause("`reset` treats a lost life as the end of the episode", "DLR-RM/stable-baselines3#1060"),
)
def evaluation_plays_on_after_a_lost_life(subject: Subject) -> None:
    """In the role "evaluate" no episode ends because one of several lives was lost."""
    with games(subject, role="evaluate") as opened:
        for seeds in ((0, 1), (2, 3), (4, 5)):
            played = opened.play(seeds)
            lives = [[int(move.info.get("lives", 0)) for move in game.moves] for game in played]
            if not any(map(any, lives)):
                raise NotApplicable("the environment's info has no `lives`")
            for game, left in zip(played, lives, strict=True):
                lost = len(left) > 1 and 0 < left[-1] < left[-2] and bool(game.moves[-1].terminated)
                example = {**game.example(len(game.moves)), "lives": left[-2:]}
                require(not lost, example=example, expected="an episode that continues", got="terminated")


@check(
    "environment",
    "make_env",
    Cause("the last observation is the internal array, which the reset overwrites", "Farama-Foundation/Gymnasium#1132"),
    Cause("an episode ended, but neither flag is set", "sail-sg/envpool#239"),
)
def final_observations_survive_the_reset(subject: Subject) -> None:
    """Under SAME_STEP each step has a `final_obs` for exactly the ended episodes, and no later step changes it."""
    with games(subject) as opened:
        if opened.vector is None or opened.mode is not AutoresetMode.SAME_STEP:
            raise NotApplicable("the plugin makes no vector environment with the autoreset mode SAME_STEP")
        env, count = opened.vector, opened.count
        opened.play((0, 1), steps=1)
        kept: list[tuple[int, int, Any, Any]] = []
        rng = np.random.default_rng(0)
        for step in range(1, 41):
            _, _, terminated, truncated, info = env.step(opened.given(rng.integers(opened.num_actions, size=count)))
            final = info.get("final_obs", np.full(count, None))
            for row in range(count):
                ended = bool(terminated[row] or truncated[row])
                given = final[row] is not None and bool(info.get("_final_obs", terminated | truncated)[row])
                words = {True: "a final_obs", False: "no final_obs"}
                example = {"step": step, "environment": row, "ended": ended}
                require(ended == given, example=example, expected=words[ended], got=words[given])
                # the vector environment fills a numeric array itself; only objects come from single environments
                if ended and final.dtype == object:
                    kept.append((step, row, final[row], np.array(final[row])))
        for step, row, reference, value in kept:
            expect(reference, value, example={"final_obs of step": step, "environment": row, "read at step": 40})
