"""The plugin `gym:ID`: a registered gymnasium environment with discrete actions, as in `gym:CartPole-v1`.

`gym:MODULE:ID` imports the module first, as gymnasium does, so that it can register the environment.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium

from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.types import Role

PREFIX = "gym:"


class GymEnvironment:
    """The plugin of one gymnasium id: it makes the environment and recommends values for the run.

    Raises:
        UsageError: if gymnasium does not know the id.
    """

    def __init__(self, env_id: str) -> None:
        module, _, name = env_id.rpartition(":")
        try:
            if module:
                importlib.import_module(module)  # it registers the environment
            gymnasium.spec(name)
        except (gymnasium.error.Error, ImportError) as error:
            raise UsageError(f"{PREFIX}{env_id}: {error}") from error
        self._id = name

    @hookimpl
    def recommended_values(self) -> Mapping[str, Any]:
        return {"run.steps": 50_000, "evaluation.every": 5_000}

    @hookimpl
    def make_env(self, role: Role) -> Callable[[], gymnasium.Env[Any, Any]]:
        return self._make_drawing if role == "watch" else lambda: gymnasium.make(self._id)

    def _make_drawing(self) -> gymnasium.Env[Any, Any]:
        try:
            return gymnasium.make(self._id, render_mode="rgb_array")
        except TypeError as error:  # its constructor does not know the argument
            raise UsageError(f"draws no pictures: {error}") from error
