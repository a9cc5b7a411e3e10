"""A scripted game in place of the emulator: all its frames and rewards are known."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from plugins.atari.wrappers import Frame, Reset

SHAPE = (3, 5)


def picture(time: int) -> Frame:
    """Return the frame `time` steps after a reset: one bright pixel, whose place and brightness change at each step."""
    frame = np.zeros(SHAPE, np.uint8)
    frame.flat[time % frame.size] = 100 + time % 100
    return frame


class Film(gymnasium.Env[Any, Any]):
    """Shows `picture(0)`, `picture(1)`, …, gives int8 rewards of 100, and ends after `length` steps.

    Unless `careful`, all frames are in the same array. The player loses a life at every third step. `taken` contains
    the actions of each episode.
    """

    def __init__(
        self,
        length: int = 1_000,
        truncates: bool = False,
        actions: tuple[str, ...] = ("NOOP", "FIRE"),
        careful: bool = False,
    ) -> None:
        self.observation_space, self.action_space = Box(0, 255, SHAPE, np.uint8), Discrete(len(actions))
        self.taken: list[list[int]] = []
        self.length, self._truncates, self._meanings = length, truncates, list(actions)
        self._careful = careful
        self._time = 0
        self._frame = np.zeros(SHAPE, np.uint8)

    def get_action_meanings(self) -> list[str]:
        """Return the names of the actions, as `AtariEnv` does."""
        return self._meanings

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        super().reset(seed=seed)
        self.taken.append([])
        self._time = 0
        return self._shown(), {"lives": 5}

    def step(self, action: int) -> tuple[Any, np.int8, bool, bool, dict[str, Any]]:
        self.taken[-1].append(int(action))
        self._time += 1
        over = self._time >= self.length
        lives = {"lives": max(1, 5 - self._time // 3)}
        return self._shown(), np.int8(100), over and not self._truncates, over and self._truncates, lives

    def _shown(self) -> Frame:
        self._frame[:] = picture(self._time)
        return self._frame.copy() if self._careful else self._frame
