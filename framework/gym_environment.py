"""The plugin `gym:ID`: any registered gymnasium environment with discrete actions, as in `gym:CartPole-v1`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium

from framework.errors import UsageError
from framework.hookspecs import hookimpl
from framework.types import Role

PREFIX = "gym:"


class GymEnvironment:
    """A plugin that makes the environment of one id, with its own defaults.

    Raises:
        UsageError: if gymnasium knows no such id.
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
        return lambda: gymnasium.make(self._id, render_mode="rgb_array" if role == "watch" else None)
