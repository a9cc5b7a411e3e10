"""One game of Pong as a stack of gymnasium wrappers on `AtariEnv`: to watch, to read and to compare."""

from __future__ import annotations

from typing import Any, Literal

import ale_py
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import ResizeObservation, TimeLimit, TransformAction, TransformObservation

from framework.types import Role
from plugins.pong.options import ACTION_SETS, PongOptions
from plugins.pong.protocol import describe, picture
from plugins.pong.wrappers import (
    ChannelFirst,
    Env,
    FireReset,
    FrameSkip,
    NoopReset,
    Reset,
    ScaleToUnit,
    StackFrames,
    Wrapper,
)

gymnasium.register_envs(ale_py)
ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # otherwise each emulator prints a greeting on stderr


class SeedEmulator(Wrapper):
    """Give the emulator exactly the seed of `reset`, in [0, 2³¹), as ALE's vector environment does.

    `AtariEnv` derives another seed from it, and with sticky actions that would be another game. Without sticky
    actions the emulator does not need a seed, and this wrapper does not load the game again (0.2 seconds). `info` has
    no "frame_number", because ALE's counter continues from one episode to the next.
    """

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        if seed is not None:
            if not 0 <= seed < 2**31:
                raise ValueError(f"the seed must lie in [0, 2³¹), not {seed}")
            atari: Any = self.env.unwrapped
            if atari.ale.getFloat("repeat_action_probability") > 0:
                atari.ale.setInt("random_seed", seed)
                atari.load_game()  # the emulator reads its seed when it loads the game
            # only gymnasium's part of the seeding: `AtariEnv.reset(seed=…)` would always load the game
            gymnasium.Env.reset(atari, seed=seed)
        obs, info = self.env.reset(options=options)
        del info["frame_number"]
        return obs, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        del info["frame_number"]
        return obs, reward, terminated, truncated, info


def pong_env(options: PongOptions, role: Role = "train", render_mode: str | None = None) -> Env:
    """Return one game of Pong for the engine, with the same frames, rewards and ends as one row of `NativePong`.

    Observations are uint8 [size, size], actions are indices into `ACTION_SETS[options.actions]`, and rewards are raw.
    An episode starts as in ALE: FIRE for one frame, then no-op frames. Neither counts towards `max_frames`.
    """
    env = _emulator(options.sticky, full=options.actions == "full", render_mode=render_mode)
    if options.fire_on_reset:
        env = FireReset(env)
    if options.noop_max:
        env = NoopReset(env, options.noop_max)
    env = FrameSkip(TimeLimit(env, options.max_frames), options.frame_skip)
    height, rows = picture(options)
    env = ResizeObservation(env, (height, options.size))
    if height != options.size:
        shown = Box(0, 255, (options.size, options.size), np.uint8)
        env = TransformObservation(env, lambda frame: frame[rows], shown)
    env = _select_actions(env, ACTION_SETS[options.actions])
    # the console has 60 frames per second, and `render` shows one picture for each step
    pace = {"render_fps": max(1, round(60 / options.frame_skip))}
    env.metadata = {**env.metadata, **pace, **describe(options, role)}
    return env


def chapter_stack(
    size: int = 84,
    skip: int = 4,
    stack: int = 4,
    padding: Literal["repeat", "zero"] = "repeat",
    sticky: float = 0.0,
    render_mode: str | None = None,
) -> Env:
    """Return Pong with the complete preprocessing of a textbook's chapter, in its order, for use without the engine.

    Observations are float32 [stack, size, size] in [0, 1], and actions are ALE's minimal six. As in the chapter, the
    wrapper for FIRE on reset comes after the frame skip, so FIRE is held for `skip` frames.
    """
    env: Env = TimeLimit(_emulator(sticky, full=False, render_mode=render_mode), 108_000)
    env = FireReset(FrameSkip(env, skip))
    env = ChannelFirst(ResizeObservation(env, (size, size)))
    return ScaleToUnit(StackFrames(env, stack, padding))


def _emulator(sticky: float, full: bool, render_mode: str | None) -> Env:
    """Return the emulator alone: one grey frame [210, 160] a step, with the same seeds as ALE's vector environment."""
    env = gymnasium.make(
        "ALE/Pong-v5",
        obs_type="grayscale",
        frameskip=1,
        repeat_action_probability=sticky,
        full_action_space=full,
        max_num_frames_per_episode=0,  # no limit here: it would also count the frames of a reset
        render_mode=render_mode,
        disable_env_checker=True,
    )
    return SeedEmulator(env)


def _select_actions(env: Env, names: tuple[str, ...]) -> Env:
    """Restrict the agent to these ALE actions."""
    meanings: list[str] = env.unwrapped.get_action_meanings()  # type: ignore[attr-defined]  # AtariEnv's
    chosen = [meanings.index(name) for name in names]
    return TransformAction(env, lambda action: chosen[action], Discrete(len(chosen)))
