"""The options of `pong`."""

from __future__ import annotations

from typing import Literal

from framework.config import Field, Section

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


class PongOptions(Section, name="pong"):
    """Which game of Pong is played, and what the agent sees of it."""

    backend: Literal["native", "wrappers"] = Field(
        "native",
        description="native: ALE's vector environment in C++ threads; wrappers: a stack of gymnasium wrappers.",
    )
    size: int = Field(42, ge=36, le=210, description="Height and width of the grey frames, in pixels.")
    view: Literal["screen", "court"] = Field(
        "court",
        description="screen: all of it, as in the literature; court: without the score and the walls. "
        "The court is its own mirror image, which the plugin `mirror` uses.",
    )
    frame_skip: int = Field(4, ge=1, le=60, description="Emulator frames for which each action is repeated.")
    actions: Literal["moves", "fast", "minimal", "full"] = Field(
        "fast",
        description="moves: stay, up and down, enough to win 21-0; fast: the same with FIRE held, which returns the "
        "ball about twice as fast; minimal: both, as in the literature; full: all 18 joystick positions.",
    )
    sticky: float = Field(
        0.0, ge=0, le=1, description="Probability, at each emulator frame, that the previous action is repeated."
    )
    noop_max: int = Field(
        30,
        ge=0,
        le=200,
        description="Random number of no-op frames at the start: 0 to n - 1 (native), 1 to n (wrappers). 0: none.",
    )
    fire_on_reset: bool = Field(
        False, description="Press FIRE for one emulator frame at the start of an episode. Pong serves without it."
    )
    clip_rewards: bool = Field(
        True, description="Clip the learner's rewards to [-1, 1]; reported rewards are not clipped."
    )
    stack: int = Field(2, ge=1, le=16, description="How many of the last frames form an observation.")
    padding: Literal["repeat", "zero"] = Field(
        "repeat",
        description="What fills the frame stack before an episode's first frame: repeat: that frame; zero: black.",
    )
    max_frames: int = Field(
        108_000, ge=1, description="Emulator frames after which an episode is truncated (half an hour of play)."
    )
    threads: int = Field(
        1,
        ge=0,
        le=256,
        description="Emulator threads of the native back end. On two cores, more than one slows the learner down. "
        "0: one for each environment, at most one for each core.",
    )
