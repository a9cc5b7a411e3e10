"""One game of Pong as a stack of gymnasium wrappers, and the complete stack of a textbook's chapter."""

from __future__ import annotations

from typing import Literal

from gymnasium.wrappers import ResizeObservation, TimeLimit

from framework.types import Role
from plugins.atari.single import emulator, game_env
from plugins.atari.wrappers import ChannelFirst, Env, FireReset, FrameSkip, ScaleToUnit, StackFrames
from plugins.pong.options import PongOptions
from plugins.pong.protocol import pong


def pong_env(options: PongOptions, role: Role = "train", render_mode: str | None = None) -> Env:
    """Return one game of Pong for the engine: see `plugins.atari.single.game_env`.

    Actions are indices into `ACTION_SETS[options.actions]`.
    """
    return game_env(pong(options), role, render_mode)


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
    env: Env = TimeLimit(emulator("pong", sticky, full=False, loads=False, render_mode=render_mode), 108_000)
    env = FireReset(FrameSkip(env, skip))
    env = ChannelFirst(ResizeObservation(env, (size, size)))
    return ScaleToUnit(StackFrames(env, stack, padding))
