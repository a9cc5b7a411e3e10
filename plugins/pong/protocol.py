"""What decides which game of Pong is played, and how it is shown: the metadata that the engine reads."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from typing import Any, Literal

from framework.types import Role
from plugins.pong.options import ACTION_SETS, PongOptions

SCREEN, COURT = (210, 160), slice(34, 194)
"""The emulator's rows and columns, and the rows between the walls, where the ball is; the score is above them."""


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
