"""The plugin `gym:ID`: any registered gymnasium environment with discrete actions, as in `gym:CartPole-v1`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
import numpy as np

from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.types import Role

PREFIX = "gym:"

COLOURS = (1, 3, 4)
"""The numbers of channels of an image in gymnasium: grey, RGB, RGBA."""


class GymEnvironment:
    """The plugin of one gymnasium id: it makes the environment and recommends values for the run.

    Raises:
        UsageError: if gymnasium does not know the id.
    """

    def __init__(self, env_id: str) -> None:
        try:
            gymnasium.spec(env_id)
        except (gymnasium.error.Error, ModuleNotFoundError) as error:
            raise UsageError(f"{PREFIX}{env_id}: {error}") from error
        self._id = env_id

    @hookimpl
    def recommended_values(self) -> Mapping[str, Any]:
        return {"run.steps": 50_000, "evaluation.every": 5_000}

    @hookimpl
    def make_env(self, role: Role) -> Callable[[], gymnasium.Env[Any, Any]]:
        return lambda: channels_first(gymnasium.make(self._id, render_mode="rgb_array" if role == "watch" else None))


def channels_first(env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """The environment. If it shows uint8 images [H, W, C], as in gymnasium, a wrapper turns them into [C, H, W]."""
    space = env.observation_space
    if not isinstance(space, gymnasium.spaces.Box) or space.dtype != np.uint8 or len(space.shape) != 3:
        return env
    if space.shape[-1] not in COLOURS or space.shape[0] in COLOURS:
        return env
    turned = gymnasium.spaces.Box(np.moveaxis(space.low, -1, 0), np.moveaxis(space.high, -1, 0), dtype=np.uint8)
    return gymnasium.wrappers.TransformObservation(env, lambda image: np.moveaxis(image, -1, 0), turned)
