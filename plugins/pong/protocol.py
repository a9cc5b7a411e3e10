"""The metadata that the engine reads: which game of Pong is played, and what the agent sees of it."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from typing import Any, Literal

from framework.types import Role
from plugins.pong.options import ACTION_SETS, PongOptions

SCREEN, COURT = (210, 160), slice(34, 194)
"""The rows and columns of the emulator's screen, and the rows between the walls. The score is above the court."""


def effective_backend(options: PongOptions, role: Role) -> Literal["native", "wrappers"]:
    """Return the back end that is used. Watching always uses `wrappers`, which can render."""
    return "wrappers" if role == "watch" else options.backend


def picture(options: PongOptions) -> tuple[int, slice]:
    """Return the height to which the screen is resized (the width is `size`), and the rows that the agent sees."""
    if options.view == "screen":
        return options.size, slice(0, options.size)
    rows, columns = SCREEN
    height = round(options.size * rows / columns)
    top = round(height * COURT.start / rows)
    return height, slice(top, top + options.size)


def describe(options: PongOptions, role: Role) -> dict[str, Any]:
    """Return the environment's metadata for the engine, a new dict at each call.

    `protocol` contains every setting that decides which game is played, as JSON values.
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
        "episode_ends_on_life_loss": False,  # Pong has no lives; the protocol says so explicitly
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
    """Return each action's index in a court that is turned upside down: up and down are exchanged.

    The game obeys this symmetry only approximately.
    """
    swap = {"RIGHT": "LEFT", "LEFT": "RIGHT"}
    turned = [re.sub("RIGHT|LEFT", lambda found: swap[found[0]], name) for name in actions]
    return [actions.index(name) for name in turned]
