"""The options of `atari`, and those that it shares with its preset `pong`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, field_validator

from framework.config import Field, Section
from framework.errors import did_you_mean
from plugins.atari.games import GAMES

_ALWAYS: Mapping[str, Any] = {
    "atari.size": 84,
    "atari.view": "screen",
    "atari.frame_skip": 4,
    "atari.fire_on_reset": False,
    "atari.clip_rewards": True,
    "atari.stack": 4,
    "atari.padding": "repeat",
    "atari.max_frames": 108_000,
}
_LIVES: Mapping[str, Any] = {
    **_ALWAYS,
    "atari.actions": "minimal",
    "atari.life_loss": True,
    "atari.sticky": 0.0,
    "atari.noop_max": 30,
}
_STICKY: Mapping[str, Any] = {
    **_ALWAYS,
    "atari.actions": "full",
    "atari.life_loss": False,
    "atari.sticky": 0.25,
    "atari.noop_max": 0,
}
PROTOCOLS: Mapping[str, Mapping[str, Any]] = {
    "2015": _LIVES,
    "2018": _STICKY,
    "100k": {**_LIVES, "run.steps": 100_000, "evaluation.every": 100_000, "evaluation.episodes": 100},
}
"""The values that each `atari.protocol` stands for. Those of 2015 are the defaults."""


class StackOptions(BaseModel):
    """The options of the stack that turns a console into an environment, for any game."""

    backend: Literal["native", "wrappers"] = Field(
        "native",
        description="native: ALE's vector environment in C++ threads; wrappers: a stack of gymnasium wrappers.",
    )
    size: int = Field(84, ge=36, le=210, description="Height and width of the grey frames, in pixels.")
    view: Literal["screen", "court"] = Field(
        "screen",
        description="screen: all of it, as in the literature since 2015; court: only the rows 34 to 193, which are "
        "most of the playing area in many games.",
    )
    frame_skip: int = Field(4, ge=1, le=60, description="Emulator frames for which each action is repeated.")
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
        False, description="Press FIRE for one emulator frame at the start of an episode, in games that have it."
    )
    clip_rewards: bool = Field(
        True, description="Clip the learner's rewards to [-1, 1]; reported rewards are not clipped."
    )
    stack: int = Field(4, ge=1, le=16, description="How many of the last frames form an observation.")
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
        description="Emulator threads of the native back end in training. On two cores, more than one slows learning "
        "down. 0, and always in evaluations: one for each environment, at most one for each core.",
    )


class _WhatIsPlayed(BaseModel):
    """The options of `atari` that are listed first: pydantic lists the fields of the last base class first."""

    game: str = Field(
        "breakout", description=f"ALE's name of one of {len(GAMES)} games; an unknown name is refused with the list."
    )
    protocol: Literal["2015", "2018", "100k"] = Field(
        "2015",
        description="Sets other options, which can still be set one by one. 2015 (Mnih et al.): no-ops at the start, "
        "lives, minimal actions; 2018 (Machado et al.): sticky actions, all 18 actions, no lives; 100k (Kaiser et al. "
        "2020): as 2015, for 100,000 steps, and then 100 games of evaluation.",
    )
    actions: Literal["minimal", "full"] = Field(
        "minimal",
        description="minimal: those that have an effect in the game; full: all 18 positions of the joystick and its "
        "button (9 in lost_luggage, which has no button).",
    )
    life_loss: bool = Field(
        True,
        description="In training, a lost life terminates the learner's episode, while the game goes on. Reports count "
        "whole games.",
    )


class AtariOptions(StackOptions, _WhatIsPlayed, Section, name="atari"):
    """Which game is played, by which rules, and what the agent sees of it."""

    presets: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {"protocol": PROTOCOLS}

    @field_validator("game")
    @classmethod
    def _is_known(cls, game: str) -> str:
        if game not in GAMES:
            raise ValueError(f"no game of that name.{did_you_mean(game, GAMES)} The games: {', '.join(GAMES)}")
        return game

    @field_validator("protocol", mode="before")
    @classmethod
    def _as_text(cls, protocol: Any) -> Any:
        """TOML reads 2018 as a number."""
        return str(protocol) if type(protocol) is int else protocol
