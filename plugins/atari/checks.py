"""Checks of the preprocessing of Atari games, one wrapper at a time, on scripted games."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from framework.conformance.check import Cause, check, expect, require
from framework.conformance.subject import Subject
from plugins.atari.description import describe
from plugins.atari.film import Film, picture
from plugins.atari.game import game_of
from plugins.atari.options import AtariOptions
from plugins.atari.wrappers import ChannelFirst, FireReset, FrameSkip, NoopReset, StackFrames


def _skips() -> Iterator[tuple[Film, FrameSkip, int, int, dict[str, Any]]]:
    """Yield (game, wrapped game, skip, length, example) for every way in which an episode can end inside a skip."""
    for skip, length, truncates in product((1, 2, 3, 4), range(1, 10), (False, True)):
        film = Film(length, truncates)
        env = FrameSkip(film, skip)
        env.reset()
        how = "truncated" if truncates else "terminated"
        yield film, env, skip, length, {"skip": skip, f"frames until it is {how}": length}


@check(
    "environment",
    "make_env",
    Cause("the frame is stale or empty if the episode ends inside a skip", "Farama-Foundation/Gymnasium#1692"),
    Cause("only the last frame is used, in which flickering objects are missing"),
    Cause("both frames are the same array, because the game uses its array again"),
)
def a_skip_shows_its_last_two_frames(subject: Subject) -> None:
    """Each pixel is the maximum of the last two frames of a skip (or of its only frame), wherever the episode ends."""
    for _, env, skip, length, example in _skips():
        for start in range(0, length, skip):
            obs = env.step(1)[0]
            shown = [picture(time) for time in range(start + 1, min(start + skip, length) + 1)][-2:]
            expect(obs, np.max(shown, axis=0), example={**example, "skip began after frame": start})


@check(
    "environment",
    "make_env",
    Cause("only the last reward is used"),
    Cause("the sum overflows, because it has the small type of the rewards", "sotetsuk/pgx#1034"),
)
def a_skip_adds_up_its_rewards(subject: Subject) -> None:
    """The reward of a skip is the sum of its frames' rewards, of any type, up to the episode's end."""
    for _, env, skip, length, example in _skips():
        for start in range(0, length, skip):
            reward = env.step(1)[1]
            wanted = 100.0 * (min(start + skip, length) - start)
            expect(reward, wanted, example={**example, "skip began after frame": start, "each reward": "int8 100"})


@check(
    "environment",
    "make_env",
    Cause("one frame skip is applied on top of another", "Farama-Foundation/Arcade-Learning-Environment#443"),
    Cause("the game continues after its end"),
)
def a_skip_ends_with_the_episode(subject: Subject) -> None:
    """An action is repeated for `skip` frames or until the episode ends, and the step has the end flags of the game."""
    for film, env, skip, length, example in _skips():
        for start in range(0, length, skip):
            _, _, terminated, truncated, _ = env.step(1)
            end = min(start + skip, length)
            expect(len(film.taken[0]), end, example={**example, "counted": "frames that the game was asked for"})
            cut_off = "frames until it is truncated" in example
            wanted = [end == length and not cut_off, end == length and cut_off]
            expect([terminated, truncated], wanted, example={**example, "flags after frame": end})


@check(
    "environment",
    "make_env",
    Cause("the episode ends at a lost life", "Farama-Foundation/Gymnasium#166"),
    Cause("a life lost while FIRE is pressed is treated as the end", "DLR-RM/stable-baselines3#1060"),
)
def a_lost_life_ends_no_episode(subject: Subject) -> None:
    """With all the wrappers, an episode continues after a lost life."""
    env = FrameSkip(NoopReset(FireReset(Film(40)), 4), 4)
    env.reset(seed=0)
    for step in range(8):
        _, _, terminated, truncated, info = env.step(0)
        example = {"lives at first": 5, "lives": info["lives"], "step": step + 1}
        require(not (terminated or truncated), example=example, expected="an episode that continues", got="an end")


@check(
    "environment",
    "make_env",
    Cause("the observation before FIRE is returned"),
    Cause("the wrong action is used as FIRE"),
)
def fire_is_pressed_once_an_episode(subject: Subject) -> None:
    """A reset presses FIRE once and returns the frame after it; a game without FIRE is not changed."""
    for actions, presses in ((("NOOP", "FIRE"), 1), (("FIRE", "NOOP"), 0), (("NOOP", "UP"), None)):
        film = Film(actions=actions, careful=True)
        env = FireReset(film)
        for _ in range(2):
            obs, _ = env.reset(seed=0)
            expect(obs, picture(0 if presses is None else 1), example={"actions": actions, "shown after": "the reset"})
        wanted: list[list[int]] = [[] if presses is None else [presses]] * 2
        require(film.taken == wanted, example={"actions": actions}, expected=wanted, got=film.taken)


@check(
    "environment",
    "make_env",
    Cause("the upper bound is never drawn, or the lower bound is 0"),
    Cause("the numbers are not from the environment's random generator"),
)
def no_ops_follow_the_seed(subject: Subject) -> None:
    """The seed of a reset sets the number of no-ops, any of 1 to `most`, and the reset returns the frame after them."""
    for most in (1, 3):
        film = Film(careful=True)
        env = NoopReset(film, most)
        for seed in (*range(40), *range(40)):
            obs, _ = env.reset(seed=seed)
            expect(obs, picture(len(film.taken[-1])), example={"most": most, "seed": seed, "shown after": "the reset"})
        counts = [len(taken) for taken in film.taken]
        # 40 seeds miss one of three numbers with probability 3 · (2/3)⁴⁰; these seeds are always the same
        example = {"most": most, "seeds": "0 to 39"}
        expect(sorted(set(counts)), np.arange(1, most + 1), example={**example, "drawn": "numbers of no-ops"})
        expect(counts[40:], counts[:40], example={**example, "drawn": "the same seeds, again"})
        require(not any(map(any, film.taken)), example=example, expected="no-ops alone", got=film.taken)


@check("environment", "make_env", Cause("the end is ignored, so that the first step comes after it"))
def a_start_that_ends_the_episode_begins_another(subject: Subject) -> None:
    """If the episode ends during the no-ops or FIRE, the reset returns a frame of a new episode."""
    for env, film in (_ending(wrap) for wrap in (lambda game: NoopReset(game, 9), FireReset)):
        for seed in range(4):
            obs, _ = env.reset(seed=seed)
            time = len(film.taken[-1])
            example = {"wrapper": type(env).__name__, "episode's length": film.length, "seed": seed}
            require(time < film.length, example=example, expected="an episode that continues", got="one that is over")
            expect(obs, picture(time), example={**example, "shown after": f"{time} steps"})


def _ending(wrap: Any) -> tuple[Any, Film]:
    film = Film(careful=True)
    env = wrap(film)
    film.length = 2 if isinstance(env, NoopReset) else 1
    return env, film


@check(
    "environment",
    "make_env",
    Cause(
        "the padding is zero where the first frame should be repeated, or the reverse",
        "Farama-Foundation/Gymnasium#829",
    ),
    Cause("frames of the previous episode are still in the stack"),
)
def prepared_stacks_hold_one_episode(subject: Subject) -> None:
    """A frame stack has the last k frames of the episode, oldest first, and the declared padding before the first."""
    for k, padding in product((1, 3), ("repeat", "zero")):
        kind: Any = padding
        env = StackFrames(ChannelFirst(Film()), k, kind)
        for episode in range(2):
            shown = [env.reset()[0], *(env.step(0)[0] for _ in range(4))]
            before = np.zeros_like(picture(0)) if padding == "zero" else picture(0)
            for time, obs in enumerate(shown):
                wanted = [picture(age) if age >= 0 else before for age in range(time - k + 1, time + 1)]
                example = {"k": k, "padding": padding, "episode": episode, "steps since the reset": time}
                expect(obs, np.stack(wanted), example=example)


@check("environment", "make_env", Cause("the score is computed from the learner's clipped rewards"))
def only_training_clips_rewards(subject: Subject) -> None:
    """Rewards are clipped only in training, and only if the option `clip_rewards` is true."""
    for role, clips in product(("train", "evaluate", "watch"), (True, False)):
        kind: Any = role
        found = describe(game_of(AtariOptions.model_validate({"clip_rewards": clips})), kind, ())
        wanted = (-1.0, 1.0) if role == "train" and clips else None
        example = {"role": role, "clip_rewards": clips}
        got = found.get("reward_clip")
        require(got == wanted, example=example, expected=f"reward_clip {wanted}", got=f"reward_clip {got}")
