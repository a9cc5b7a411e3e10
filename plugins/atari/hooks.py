"""What the hook `make_env` of `atari` and of its preset `pong` returns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from framework.types import Role
from plugins.atari.description import effective_backend
from plugins.atari.game import Game

if TYPE_CHECKING:
    import gymnasium


def environments(
    game: Game, role: Role, num_envs: int
) -> gymnasium.vector.VectorEnv[Any, Any, Any] | Callable[[], gymnasium.Env[Any, Any]]:
    """Consoles with one game, or a factory of single ones. ale-py is imported here and not before."""
    if effective_backend(game.options, role) == "native":
        from plugins.atari.native import NativeGames

        return NativeGames(game, num_envs, role)
    from plugins.atari.single import game_env

    return partial(game_env, game, role=role, render_mode="rgb_array" if role == "watch" else None)
