"""Single environments of numbers: a ball that is seen at times, so that two frames say more than one.

A frame is (position, 1), or (0, 0) before the first; two are stacked, with zeros before an episode begins. The ball
drifts by ±0.25 each step; the right of the three actions (left, wait, right) names the side to which it drifts, and
waiting earns nothing. Rewards of the last step are 3, of which the learner sees at most 1. Four steps, and it is over:
by falling off an edge (terminated) or by the clock (truncated).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.types import Role

CHECK_WITH = "dqn"


class GlimpsesOptions(Section, name="glimpses"):
    """The ball."""

    drift: float = Field(0.25, gt=0, le=1, description="how far it moves in a step")
    clock: int = Field(4, ge=2, description="steps after which an episode is cut off")


class Glimpses(gymnasium.Env[Any, Any]):
    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["rgb_array"],
        "frame_stack": 2,
        "stack_padding": "zero",
        "reward_clip": (-1.0, 1.0),
        "protocol": {"game": "glimpses"},
    }

    def __init__(self, options: GlimpsesOptions, render_mode: str | None) -> None:
        self.options, self.render_mode = options, render_mode
        self.observation_space = Box(-3.0, 3.0, (2,), np.float32)
        self.action_space = Discrete(3)
        self.history: list[float] = []
        self.side = 1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.side = 1 if self.np_random.uniform() < 0.5 else -1
        self.history = [float(self.np_random.uniform(-0.5, 0.5))]
        return self._frame(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        named = int(action) - 1
        self.history.append(self.history[-1] + self.side * self.options.drift)
        made = len(self.history) - 1
        fallen, late = abs(self.history[-1]) > 1.0, made >= self.options.clock
        return self._frame(), named * self.side * (3.0 if fallen or late else 1.0), fallen, late, {}

    def _frame(self) -> np.ndarray:
        return np.array([self.history[-1], 1.0], np.float32)

    def render(self) -> Any:
        picture = np.zeros((8, 64, 3), np.uint8)
        picture[:, int(np.clip((self.history[-1] + 1.5) / 3, 0, 0.99) * 64)] = 255
        return picture


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [GlimpsesOptions]


@hookimpl
def recommended_values() -> Mapping[str, Any]:
    return {"run.steps": 3000, "returns.gamma": 0.9}


@hookimpl
def make_env(config: Config, role: Role) -> Callable[[], Glimpses]:
    mode = "rgb_array" if role == "watch" else None
    return lambda: Glimpses(config[GlimpsesOptions], mode)
