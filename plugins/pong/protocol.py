"""Pong as a preset of the stack of `atari`: its actions, and the mirror image of its court."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from framework.types import Role
from plugins.atari import description
from plugins.atari.game import Game
from plugins.pong.options import ACTION_SETS, PongOptions


def pong(options: PongOptions) -> Game:
    """The game that the options describe. Pong has no lives, and it starts in the same way after every reset."""
    actions = ACTION_SETS[options.actions]
    mirror = {"axis": -2, "actions": _upside_down(actions)} if options.view == "court" else None
    return Game("pong", options, options.actions, actions, loads=False, highest_return=21.0, mirror=mirror)


def describe(options: PongOptions, role: Role) -> dict[str, Any]:
    """Return the environment's metadata for the engine, a new dict at each call."""
    return description.describe(pong(options), role, ACTION_SETS[options.actions])


def _upside_down(actions: Sequence[str]) -> list[int]:
    """Return each action's index in a court that is turned upside down: up and down are exchanged.

    The game obeys this symmetry only approximately.
    """
    swap = {"RIGHT": "LEFT", "LEFT": "RIGHT"}
    turned = [re.sub("RIGHT|LEFT", lambda found: swap[found[0]], name) for name in actions]
    return [actions.index(name) for name in turned]
