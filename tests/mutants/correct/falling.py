"""A catcher on a board of 10 × 10 with three lives, shown in one array that is painted anew at each step.

A drop falls from a random column; the catcher moves left, stays or moves right. A drop that is caught pays 1 (an
int8), one that is missed costs a life, and without lives the game is over. While training, the loss of a life ends the
episode already, as is usual for Atari games; evaluation plays all three. A game is cut off after so many steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TimeLimit

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.types import Role

CHECK_WITH = "dqn"

SIDE = 10


class FallingOptions(Section, name="falling"):
    """The rules."""

    lives: int = Field(3, ge=1, description="drops that may be missed")
    limit: int = Field(80, ge=1, description="steps after which a game is cut off")


class Falling(gymnasium.Env[Any, Any]):
    """Whoever keeps an observation has to copy it."""

    def __init__(self, lives: int) -> None:
        self.observation_space = Box(0, 255, (1, SIDE, SIDE), np.uint8)
        self.action_space = Discrete(3)
        self.metadata = {
            "render_modes": [],
            "frame_skip": 2,
            "reward_clip": (-1, 1),
            "protocol": {"game": "falling", "frame_skip": 2, "reward_clip": [-1, 1], "lives": lives},
        }
        self.all_lives = self.lives = lives
        self.random = np.random.default_rng()
        self.board = np.zeros((1, SIDE, SIDE), np.uint8)
        self.catcher = self.row = self.column = 0
        self.over = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self.random = np.random.default_rng(seed)
        self.lives, self.over, self.catcher = self.all_lives, False, SIDE // 2
        self.drop()
        return self.painted(), {"lives": self.lives}

    def drop(self) -> None:
        self.row, self.column = 0, int(self.random.integers(SIDE))

    def painted(self) -> np.ndarray:
        self.board[:] = 0
        self.board[0, self.row, self.column] = 255
        self.board[0, SIDE - 1, self.catcher] = 128
        return self.board

    def step(self, action: Any) -> tuple[Any, np.int8, bool, bool, dict[str, Any]]:
        if self.over or action not in (0, 1, 2):
            raise RuntimeError("the game is over" if self.over else f"{action} is no action")
        self.catcher = int(np.clip(self.catcher + int(action) - 1, 0, SIDE - 1))
        self.row += 2
        reward = np.int8(0)
        if self.row >= SIDE - 1:
            caught = self.catcher == self.column
            reward, self.lives = np.int8(caught), self.lives - (not caught)
            self.drop()
        self.over = self.lives == 0
        return self.painted(), reward, self.over, False, {"lives": self.lives}


class OneLife(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An episode is one life. The next one begins a new game."""

    lives = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        obs, info = self.env.reset(seed=seed, options=options)
        self.lives = info["lives"]
        return obs, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        return obs, reward, terminated or info["lives"] < self.lives, truncated, info


def made(options: FallingOptions, role: Role) -> gymnasium.Env[Any, Any]:
    game: gymnasium.Env[Any, Any] = TimeLimit(Falling(options.lives), options.limit)
    if role == "train":
        game = OneLife(game)
    return game


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [FallingOptions]


@hookimpl
def make_env(config: Config, role: Role) -> Callable[[], gymnasium.Env[Any, Any]]:
    return lambda: made(config[FallingOptions], role)
