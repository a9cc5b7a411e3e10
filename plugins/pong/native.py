"""Pong on ALE's vector environment."""

from __future__ import annotations

from framework.types import Role
from plugins.atari.native import NativeGames
from plugins.pong.options import PongOptions
from plugins.pong.protocol import pong


class NativePong(NativeGames):
    """N games of Pong: see `NativeGames`. Actions are indices into `ACTION_SETS[options.actions]`."""

    def __init__(self, options: PongOptions, num_envs: int, role: Role = "train") -> None:
        super().__init__(pong(options), num_envs, role)
