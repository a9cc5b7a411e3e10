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
    """Which Pong is played, and how it is shown."""

    backend: Literal["native", "wrappers"] = Field(
        "native", description="native: ALE's threaded vector environment; wrappers: one gymnasium wrapper a step."
    )
    size: int = Field(42, ge=36, le=210, description="Height and width of the grey frames, in pixels.")
    view: Literal["screen", "court"] = Field(
        "court",
        description="screen: all of it, as in the literature; court: without the score and the walls, "
        "which is its own mirror image (the plugin `mirror`).",
    )
    frame_skip: int = Field(4, ge=1, le=60, description="Emulator frames for which each action is held.")
    actions: Literal["moves", "fast", "minimal", "full"] = Field(
        "fast",
        description="moves: stay, up, down, enough to win 21-0; fast: the same with FIRE held, which returns the ball "
        "twice as fast; minimal: both, as in the literature; full: the whole joystick, 18 actions.",
    )
    sticky: float = Field(
        0.0, ge=0, le=1, description="Probability, at each emulator frame, that the previous action is repeated."
    )
    noop_max: int = Field(
        30, ge=0, le=200, description="Up to so many emulator frames without action start an episode; 0: none."
    )
    fire_on_reset: bool = Field(
        False, description="Press FIRE for one emulator frame at the start of an episode. Pong serves without it."
    )
    clip_rewards: bool = Field(True, description="Clip the learner's rewards to [-1, 1]; reported ones stay raw.")
    stack: int = Field(2, ge=1, le=16, description="How many of the last frames make an observation.")
    padding: Literal["repeat", "zero"] = Field(
        "repeat", description="What stands before an episode's first frame in a stack: that frame, or black."
    )
    max_frames: int = Field(
        108_000, ge=1, description="Emulator frames after which an episode is truncated (half an hour of play)."
    )
    threads: int = Field(
        1,
        ge=0,
        le=256,
        description="Emulator threads of the native back end; more than one fight with the learner "
        "on two cores. 0: one an environment, up to the cores.",
    )
