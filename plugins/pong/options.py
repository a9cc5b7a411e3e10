"""The options of `pong`."""

from __future__ import annotations

from typing import Literal

from framework.config import Field, Section
from plugins.atari.options import StackOptions

ACTION_SETS: dict[str, tuple[str, ...]] = {
    "moves": ("NOOP", "RIGHT", "LEFT"),
    "fast": ("FIRE", "RIGHTFIRE", "LEFTFIRE"),
    "minimal": ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE"),
    "full": (
        *("NOOP", "FIRE", "UP", "RIGHT", "LEFT", "DOWN", "UPRIGHT", "UPLEFT", "DOWNRIGHT", "DOWNLEFT"),
        *("UPFIRE", "RIGHTFIRE", "LEFTFIRE", "DOWNFIRE", "UPRIGHTFIRE", "UPLEFTFIRE", "DOWNRIGHTFIRE", "DOWNLEFTFIRE"),
    ),
}
"""ALE's names of an agent's actions, by index. RIGHT moves the paddle up and LEFT down."""


class PongOptions(StackOptions, Section, name="pong"):
    """Which game of Pong is played, and what the agent sees of it."""

    size: int = Field(42, ge=36, le=210, description="Height and width of the grey frames, in pixels.")
    view: Literal["screen", "court"] = Field(
        "court",
        description="screen: all of it, as in the literature; court: without the score and the walls. "
        "The court is its own mirror image, which the plugin `mirror` uses.",
    )
    actions: Literal["moves", "fast", "minimal", "full"] = Field(
        "fast",
        description="moves: stay, up and down, enough to win 21-0; fast: the same with FIRE held, which returns the "
        "ball about twice as fast; minimal: both, as in the literature; full: all 18 joystick positions.",
    )
    fire_on_reset: bool = Field(
        False, description="Press FIRE for one emulator frame at the start of an episode. Pong serves without it."
    )
    stack: int = Field(2, ge=1, le=16, description="How many of the last frames form an observation.")
