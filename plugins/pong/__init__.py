"""Atari Pong: single grey frames from one of two back ends that play the same game.

* `native` (`plugins.pong.native`): ALE's own vector environment, all emulators in C++ threads;
* `wrappers` (`plugins.pong.single`): the textbook stack, one gymnasium wrapper a step, which can also render.

Both emit uint8 frames of shape (size, size), one per `frame_skip` emulator frames, with raw rewards: +1 for
a point won, −1 for a point lost, and the episode ends at 21 points. Stacking, reward clipping and scaling
are the engine's. What the metadata's `protocol` says is everything that decides which game is played.

What was measured on ale-py 0.12.1, and is held by the tests:

* The ball is served automatically, so FIRE is not needed: a simple rule that follows the ball without it won
  21–0. It is a real control all the same: held while the ball meets the paddle, it returns the ball about
  twice as fast. UP and DOWN do nothing. So the 18 joystick positions have six effects, ALE's minimal set.
* With `sticky` and `noop_max` 0 the seed changes nothing: there is one game, decided by the actions alone.
* The last frame of an episode is right in `wrappers` and stale in `native`: ALE leaves its frame loop
  before it reads the screen. Nothing is bootstrapped from it unless the episode is cut at `max_frames`.
* `noop_max` n means 0 to n − 1 no-ops in `native` and the textbook's 1 to n in `wrappers`, from different
  generators. In everything else, sticky actions included, the same seed gives the same game in both.

ale-py, which holds the emulator, is licensed GPL-2.0-only. Nothing here imports it before an environment is made.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from framework.config import Config, Field, Section
from framework.hookspecs import Bundle, hookimpl
from framework.types import Role

if TYPE_CHECKING:
    import gymnasium

    from framework.conformance.checks import Check

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

SCREEN, COURT = (210, 160), slice(34, 194)
"""The emulator's rows and columns, and the rows between the walls, where the ball is; the score is above them."""

RECOMMENDED: dict[str, Any] = {
    "run.num_envs": 8,
    "run.steps": 1_000_000,
    "run.until": 18.0,
    "evaluation.every": 10_000,
    "evaluation.num_envs": 10,
    "evaluation.confirm": 100,
}
"""What suits Pong, whoever plays."""

RECOMMENDED_FOR_DQN: dict[str, Any] = {
    "returns.gamma": 0.98,
    "replay.capacity": 30_000,
    "learning.starts": 3_000,
    "learning.updates_per_step": 0.5,
    "learning.batch_size": 64,
    "target.every": 500,
    "target.unit": "env_steps",
    "exploration.shape": "exponential",
    "exploration.start": 1.0,
    "exploration.final": 0.02,
    "exploration.horizon": 8_000,
    "exploration.unit": "env_steps",
    "dqn.learning_rate": 5e-4,
    "dqn.hidden": 256,
    "dqn.averaging": 5e-4,
    "dqn.threads": 1,
    "nstep.n": 10,
}
"""What suits a small network that learns Pong on two cores, with the plugins that `bundle` brings in."""


class PongOptions(Section, name="pong"):
    """Which Pong is played, and how it is shown."""

    backend: Literal["native", "wrappers"] = Field(
        "native", description="native: ALE's threaded vector environment; wrappers: one gymnasium wrapper a step."
    )
    size: int = Field(42, ge=36, le=210, description="Height and width of the grey frames, in pixels.")
    view: Literal["screen", "court"] = Field(
        "court",
        description="screen: all of it, as in the literature; court: without the score and the walls, "
        "which is its own mirror image (replay.mirror).",
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


def effective_backend(options: PongOptions, role: Role) -> Literal["native", "wrappers"]:
    """The back end in force: watching always takes `wrappers`, the one that renders."""
    return "wrappers" if role == "watch" else options.backend


def picture(options: PongOptions) -> tuple[int, slice]:
    """Height to which the whole screen is shrunk, `size` being its width or both, and the rows that are shown."""
    if options.view == "screen":
        return options.size, slice(0, options.size)
    rows, columns = SCREEN
    height = round(options.size * rows / columns)
    top = round(height * COURT.start / rows)
    return height, slice(top, top + options.size)


def describe(options: PongOptions, role: Role) -> dict[str, Any]:
    """What the engine reads from the environment's metadata; a new dict at each call.

    `protocol` names every setting that decides which game is played, and can be written as JSON.
    """
    backend = effective_backend(options, role)
    first_noop = int(backend == "wrappers")
    clip = [-1.0, 1.0] if role == "train" and options.clip_rewards else None
    protocol: dict[str, Any] = {
        "game": "pong",
        "ale_py": importlib.metadata.version("ale-py"),
        "backend": backend,
        "action_set": options.actions,
        "actions": list(ACTION_SETS[options.actions]),
        "repeat_action_probability": options.sticky,
        "frame_skip": options.frame_skip,
        "max_pooling": "the last two frames of each skip",
        "size": [options.size, options.size],
        "view": options.view,
        "colour": "grey",
        "resize": "area",
        "stack": options.stack,
        "stack_padding": options.padding,
        "noop_max": options.noop_max,
        "noop_range": [first_noop, first_noop + options.noop_max - 1] if options.noop_max else [0, 0],
        "fire_on_reset": options.fire_on_reset,
        "reward_clip": clip,
        "max_frames": options.max_frames,
        "episode_ends_on_life_loss": False,  # Pong has no lives; said so that nobody has to guess
    }
    found: dict[str, Any] = {
        "frame_stack": options.stack,
        "stack_padding": options.padding,
        "frame_skip": options.frame_skip,
        "protocol": protocol,
    }
    if options.view == "court":
        found["mirror"] = {"axis": -2, "actions": _upside_down(ACTION_SETS[options.actions])}
    if clip is not None:
        found["reward_clip"] = tuple(clip)
    return found


def _upside_down(actions: Sequence[str]) -> list[int]:
    """The order of the actions in a court that hangs upside down: up is down. (Nearly: the game has no such rule.)"""
    swap = {"RIGHT": "LEFT", "LEFT": "RIGHT"}
    turned = [re.sub("RIGHT|LEFT", lambda found: swap[found[0]], name) for name in actions]
    return [actions.index(name) for name in turned]


@hookimpl
def bundle(names: Sequence[str]) -> Bundle:
    """With `dqn`, n-step returns, as a point is decided long before it is scored, and prioritised replay, as few
    transitions are near one. `no:nstep` and `no:per` drop them.
    """
    return Bundle(plugins=["nstep", "per"] if "dqn" in names else [])


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [PongOptions]


@hookimpl
def recommended_values(names: Sequence[str]) -> Mapping[str, Any]:
    return {**RECOMMENDED, **RECOMMENDED_FOR_DQN} if "dqn" in names else RECOMMENDED


@hookimpl
def make_env(
    config: Config, role: Role, num_envs: int
) -> gymnasium.vector.VectorEnv[Any, Any, Any] | Callable[[], gymnasium.Env[Any, Any]]:
    options = config[PongOptions]
    if effective_backend(options, role) == "native":
        from plugins.pong.native import NativePong

        return NativePong(options, num_envs, role)
    from plugins.pong.single import pong_env

    return partial(pong_env, options, role=role, render_mode="rgb_array" if role == "watch" else None)


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from framework.conformance.catalogue import checks_in
    from plugins.pong import checks, emulator_checks

    return [*checks_in(checks), *checks_in(emulator_checks)]
