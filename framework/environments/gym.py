"""The plugin `gym:ID`: a registered gymnasium environment with discrete actions, as in `gym:CartPole-v1`.

`gym:MODULE:ID` imports the module first, as gymnasium does, so that it can register the environment.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import gymnasium

from framework.config import Source
from framework.environments.presets import added_plugins, is_image, recommended
from framework.errors import UsageError
from framework.hooks import Bundle, hookimpl
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
    def bundle(self, names: Sequence[str], plugins: Sequence[str]) -> Bundle:
        """Add plugins with which `dqn` learns and stays learnt; `no:nstep`, for example, drops one."""
        return Bundle([] if self._shows_images else added_plugins(self._id, names, plugins))

    @hookimpl
    def recommended_values(self, names: Sequence[str]) -> list[Source]:
        return recommended(self._id, [] if self._shows_images else names)

    @cached_property
    def _shows_images(self) -> bool:
        """Whether observations are images. An environment is made for that; the assembly reports if it cannot be."""
        try:
            env = gymnasium.make(self._id)
        except Exception:
            return False
        env.close()
        return is_image(env.observation_space)

    @hookimpl
    def make_env(self, role: Role) -> Callable[[], gymnasium.Env[Any, Any]]:
        return self._make_drawing if role == "watch" else lambda: gymnasium.make(self._id)

    def _make_drawing(self) -> gymnasium.Env[Any, Any]:
        try:
            return gymnasium.make(self._id, render_mode="rgb_array")
        except TypeError as error:  # its constructor does not know the argument
            raise UsageError(f"draws no pictures: {error}") from error
