"""A camera in a dark room: images [H, W] or [H, W, C] with a stack, actions of two parts that begin at 1, and masks.

The light moves to a random place in every step, so that each frame is another one. The plugin of this module makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.spaces import Box, MultiDiscrete

from framework.config import Config, Field, Section
from framework.hooks import hookimpl

SIDES = (20, 24)


class DarkroomOptions(Section, name="darkroom"):
    """What the camera shows."""

    stack: int = Field(3, ge=1, description="frames of an observation")
    padding: Literal["repeat", "zero"] = Field("repeat", description="what stands before the first frame")
    colours: Literal[0, 1, 3] = Field(0, description="channels of a frame; 0: frames [H, W]")


class Darkroom(gymnasium.Env[Any, Any]):
    def __init__(self, options: DarkroomOptions | None = None) -> None:
        options = options or DarkroomOptions()
        self.metadata = {"frame_stack": options.stack, "stack_padding": options.padding}
        self.observation_space = Box(0, 255, (*SIDES, options.colours) if options.colours else SIDES, np.uint8)
        self.action_space = MultiDiscrete([2, 3], start=[1, 0])
        self.steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self.frame(), self.info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        assert self.info()["action_mask"][1][action[1]], f"action {action} after {self.steps} steps"
        self.steps += 1
        return self.frame(), float(action[1]), self.steps >= 12, False, self.info()

    def info(self) -> dict[str, Any]:
        """Each part of the action has a mask; in every step, another value of the second part is forbidden."""
        return {
            "action_mask": (np.ones(2, np.int8), np.array([self.steps % 3 != value for value in range(3)], np.int8))
        }

    def frame(self) -> np.ndarray:
        frame = np.zeros(self.observation_space.shape or (), np.uint8)
        row, column = self.np_random.integers(SIDES)
        frame[row, column:] = self.np_random.integers(1, 256, frame.shape[2:])
        return frame


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [DarkroomOptions]


@hookimpl
def make_env(config: Config) -> Callable[[], Darkroom]:
    options = config[DarkroomOptions]
    return lambda: Darkroom(options)
