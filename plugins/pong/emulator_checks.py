"""Checks of Pong on the real emulator: its frames, the length of a step, and the equality of both back ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from framework.conformance.check import Cause, check, expect, require
from framework.conformance.subject import Subject
from plugins.pong.options import ACTION_SETS, PongOptions

FIELD = slice(34, 194)
"""Rows of the console's screen between the walls. The walls have the ball's colour."""

THINGS = {"the ball": (236, 236, 236), "our paddle": (92, 186, 92), "the other paddle": (213, 130, 74)}
"""Objects and their colours on the console."""

FAINT = 6
"""The smallest visible difference from the background, of 255. A ball over four pixels has a difference of 11."""


def _options(**given: Any) -> PongOptions:
    return PongOptions.model_validate({"noop_max": 0, "view": "screen", "actions": "moves", **given})


def _back_ends(options: PongOptions) -> list[Any]:
    """Return one game of each back end: an environment, and a vector environment with one row."""
    from plugins.pong.native import NativePong
    from plugins.pong.single import pong_env

    return [pong_env(options), NativePong(options, 1)]


def _name(env: Any) -> str:
    return "native" if hasattr(env, "num_envs") else "wrappers"


def _step(env: Any, action: int) -> tuple[Any, float, bool, bool, int]:
    """Return (frame, reward, terminated, truncated, number of the emulator's frame) of one step of either back end."""
    if _name(env) == "wrappers":
        obs, reward, terminated, truncated, info = env.step(action)
        return obs, float(reward), bool(terminated), bool(truncated), int(info["episode_frame_number"])
    obs, reward, terminated, truncated, info = env.step(np.array([action]))
    frame = int(info["episode_frame_number"][0])
    return obs[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), frame


@check(
    "environment",
    "make_env",
    Cause("every n-th pixel is used in place of an average, which loses small objects"),
    Cause("the weights of the colours give an object the same grey as the background", "openai/baselines"),
)
def the_ball_and_the_paddles_stay_visible(subject: Subject) -> None:
    """At 36 and at 84 pixels, the ball and both paddles differ visibly from the background."""
    from plugins.pong.single import pong_env

    for size in (36, 84):
        env = pong_env(_options(size=size))
        emulator: Any = env.unwrapped
        env.reset(seed=0)
        seen: set[str] = set()
        for step in range(60):
            frame = env.step(step % 3)[0].astype(int)
            screen = emulator.ale.getScreenRGB()
            background = np.bincount(frame.ravel()).argmax()
            for name, colour in THINGS.items():
                rows, columns = np.nonzero((screen[FIELD] == colour).all(axis=2))
                if len(rows) == 0:
                    continue
                seen.add(name)
                places = frame[(rows + FIELD.start) * size // 210, columns * size // 160]
                contrast = int(np.abs(places - background).max())
                example = {"pong.size": size, "step": step + 1, "looked for": name}
                require(contrast >= FAINT, example=example, expected=f"a contrast of at least {FAINT}", got=contrast)
        env.close()
        missing = sorted(set(THINGS) - seen)
        require(not missing, example={"steps": 60}, expected="the ball and both paddles on the screen", got=missing)


@check(
    "environment",
    "make_env",
    Cause(
        "a frame skip is applied on top of the emulator's own frame skip",
        "Farama-Foundation/Arcade-Learning-Environment#443",
    ),
    Cause("a frame skip is applied on top of gym's default of 2 to 5 frames", "openai/gym#2454"),
)
def one_step_is_one_skip_of_the_emulator(subject: Subject) -> None:
    """A step advances the emulator by `frame_skip` frames, as the metadata says: by 4, for example, not by 16."""
    for skip in (1, 4):
        for env in _back_ends(_options(frame_skip=skip)):
            env.reset(seed=None)
            frames = [_step(env, 0)[4] for _ in range(6)]
            example = {"back end": _name(env), "pong.frame_skip": skip, "measured": "the emulator's frames"}
            expect(np.diff(frames), np.full(5, env.metadata["frame_skip"]), example=example)
            env.close()


@check(
    "environment",
    "make_env",
    Cause("one back end does not pool its frames, or resizes them differently"),
    Cause("the back ends number the actions differently"),
)
def both_back_ends_play_one_game(subject: Subject) -> None:
    """The same actions give the same frames, rewards and flags in `native` and in `wrappers`."""
    for given in ({}, {"actions": "full", "fire_on_reset": True, "frame_skip": 3, "size": 84}, {"view": "court"}):
        options = _options(**given)
        single, native = _back_ends(options)
        _expect_frame(native.reset()[0][0], single.reset(seed=0)[0], {**given, "shown after": "the reset"})
        actions = np.random.default_rng(0).integers(len(ACTION_SETS[options.actions]), size=60).tolist()
        for step, action in enumerate(actions):
            wanted, got = _step(single, action), _step(native, action)
            example = {**given, "steps": step + 1, "last action": action}
            _expect_frame(got[0], wanted[0], example)
            for name, one, other in zip(("reward", "terminated", "truncated"), wanted[1:4], got[1:4], strict=True):
                expect(other, one, example={**example, "compared": name})
        single.close()
        native.close()


def _expect_frame(got: Any, wanted: Any, example: dict[str, Any]) -> None:
    """Compare frames up to the first pixel that differs."""
    expect(got.shape, wanted.shape, example={**example, "compared": "shapes"})
    for place in np.argwhere(got != wanted)[:1]:
        expect(got[tuple(place)], wanted[tuple(place)], example={**example, "compared": f"pixel {place.tolist()}"})


@check(
    "environment",
    "make_env",
    Cause("the limit on emulator frames counts steps"),
    Cause("the limit terminates the episode"),
)
def a_game_that_is_cut_off_is_truncated(subject: Subject) -> None:
    """After `max_frames` emulator frames an episode is truncated, not terminated."""
    for env in _back_ends(_options(max_frames=40)):
        env.reset(seed=None)
        ends = [_step(env, 0)[2:4] for _ in range(10)]
        example = {"back end": _name(env), "pong.max_frames": 40, "pong.frame_skip": 4}
        wanted = [(False, False)] * 9 + [(False, True)]
        expect(np.array(ends), np.array(wanted), example={**example, "told": "[terminated, truncated] of each step"})
        env.close()
