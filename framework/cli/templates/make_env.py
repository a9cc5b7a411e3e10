"""A corridor with a slippery floor: the agent walks from the left end to the right end.

It is best to walk right in every cell. Without slipping, the value of the start is then γ^(cells − 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.wrappers import TimeLimit
from jaxtyping import UInt8

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.types import Role

MAX_STEPS = 100
"""After this many steps an episode is truncated. The agent must not learn that this is an end of the corridor."""

PIXELS = 32
"""The side of a cell in a picture, in pixels."""


class MyVariantOptions(Section, name="my_variant"):
    """The length of the corridor, and its floor."""

    cells: int = Field(5, ge=2, description="number of cells, including both ends")
    slip: float = Field(0.1, ge=0, lt=1, description="probability that the agent does not move, whatever its action")


class MyVariantEnv(gymnasium.Env[np.int64, np.int64]):
    """Action 1 walks right, action 0 walks left; at the left end is a wall.

    Entering the right end gives a reward of 1 and terminates the episode. Every random number comes from
    `self.np_random`, which `reset` seeds.
    """

    def __init__(self, options: MyVariantOptions, render_mode: str | None) -> None:
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": 4}
        self.render_mode = render_mode
        self.observation_space = Discrete(options.cells)
        self.action_space = Discrete(2)
        self._options = options
        self._cell = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        super().reset(seed=seed)
        self._cell = 0
        return np.int64(self._cell), {}

    def step(self, action: np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        if self.np_random.random() >= self._options.slip:
            self._cell = max(0, self._cell + (1 if action == 1 else -1))
        arrived = self._cell == self._options.cells - 1
        return np.int64(self._cell), float(arrived), arrived, False, {}

    def render(self) -> UInt8[np.ndarray, "height width 3"] | None:
        if self.render_mode is None:
            return None
        picture = np.full((PIXELS, PIXELS * self._options.cells, 3), 238, np.uint8)
        picture[:, PIXELS * self._cell : PIXELS * (self._cell + 1)] = (40, 80, 160)
        return picture


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def recommended_values() -> Mapping[str, Any]:
    return {"run.steps": 2_000, "returns.gamma": 0.9, "exploration.final": 0.1, "exploration.horizon": 500}


@hookimpl
def make_env(config: Config, role: Role) -> Callable[[], gymnasium.Env[Any, Any]]:
    options = config[MyVariantOptions]
    return lambda: TimeLimit(MyVariantEnv(options, "rgb_array" if role == "watch" else None), MAX_STEPS)
