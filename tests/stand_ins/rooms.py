"""A corridor of six rooms that shows everything an observation may have: nested parts, an image, a start, no shape.

Actions are −1, 0 and 1. The mask forbids −1 in the first room, and an action that it forbids is an error. The plugin of
this module makes it; its options say what is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from framework.config import Config, Field, Section
from framework.hooks import hookimpl

ROOMS = 6


class RoomsOptions(Section, name="rooms"):
    """What the corridor shows."""

    parts: Literal["all", "finite", "vector", "one"] = Field("all", description="the parts of an observation")
    masks: Literal["none", "all", "info", "method", "part"] = Field(
        "info", description="where the mask is: nowhere; in info, allowing all; in info; a method; in the observation"
    )
    limit: int = Field(30, ge=1, description="steps after which an episode is truncated")


class Rooms(gymnasium.Env[Any, Any]):
    def __init__(self, options: RoomsOptions | None = None) -> None:
        self.options = options or RoomsOptions()
        self.action_space = Discrete(3, start=-1)
        spaces: dict[str, gymnasium.Space[Any]] = {"place": Discrete(ROOMS, start=1)}
        if self.options.parts in ("all", "finite"):
            spaces["more"] = Tuple([MultiBinary(3), MultiDiscrete([3, 4], start=[0, -1])])
        if self.options.parts in ("all", "vector"):
            spaces["x"] = Box(-np.inf, np.inf, (), np.float64)
        if self.options.parts == "all":
            spaces["camera"] = Box(0, 255, (20, 24, 3), np.uint8)
        if self.options.masks == "part":
            spaces["action_mask"] = Box(0, 1, (3,), np.int8)
        self.observation_space = spaces["place"] if self.options.parts == "one" else Dict(spaces)
        if self.options.masks == "method":
            self.action_masks = self.mask
        self.place = self.steps = 0

    def mask(self) -> np.ndarray:
        return np.array([self.options.masks == "all" or self.place > 0, True, True], np.int8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.steps = int(self.np_random.integers(2)), 0
        return self.shown(), self.info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self.options.masks not in ("none", "all"):
            assert self.mask()[int(action) + 1], f"action {action} in room {self.place}"
        self.place, self.steps = max(0, self.place + int(action)), self.steps + 1
        done = self.place == ROOMS - 1
        return self.shown(), float(done), done, self.steps >= self.options.limit, self.info()

    def info(self) -> dict[str, Any]:
        return {"action_mask": self.mask()} if self.options.masks in ("info", "all") else {}

    def shown(self) -> Any:
        place = np.int64(self.place + 1)
        if self.options.parts == "one":
            return place
        camera = np.zeros((20, 24, 3), np.uint8)
        camera[:, 4 * self.place : 4 * self.place + 4] = [50, 100, 200]
        bits = np.array([self.place % 2, 1, self.place == 3], np.int8)
        more = (bits, np.array([self.place % 3, self.place % 4 - 1]))
        every = {"place": place, "more": more, "x": np.float64(self.place / 2), "camera": camera}
        every["action_mask"] = self.mask()
        return {key: every[key] for key in self.observation_space.spaces}


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [RoomsOptions]


@hookimpl
def make_env(config: Config) -> Callable[[], Rooms]:
    options = config[RoomsOptions]
    return lambda: Rooms(options)
