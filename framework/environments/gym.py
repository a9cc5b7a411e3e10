"""The plugin `gym:ID`: a registered gymnasium environment, as in `gym:CartPole-v1`.

`gym:MODULE:ID` imports the module first, as gymnasium does, so that it can register the environment. The modules of
`REGISTER` need not be named. The options of the section `gym` choose its arguments and wrappers.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import gymnasium

from framework.config import Config, Section, Source
from framework.environments.gym_options import GymOptions, make
from framework.environments.presets import added_plugins, recommended, shows_images
from framework.errors import UsageError
from framework.hooks import Bundle, hookimpl
from framework.types import Role

PREFIX = "gym:"

REGISTER: Mapping[str, str] = {"ALE": "ale_py", "MiniGrid": "minigrid", "BabyAI": "minigrid"}
"""The start of an id ("ALE/Pong-v5", "MiniGrid-Empty-5x5-v0") → the module that registers its environments."""


class GymEnvironment:
    """The plugin of one gymnasium id: it makes the environment and recommends values for the run.

    Raises:
        UsageError: if gymnasium does not know the id.
    """

    def __init__(self, env_id: str) -> None:
        module, _, name = env_id.rpartition(":")
        module = module or REGISTER.get(re.split("[/-]", name)[0], "")
        try:
            if module:
                importlib.import_module(module)  # it registers the environment
        except Exception as error:  # a module may raise anything when it is imported
            needs = f"needs the module '{module}', which cannot be imported: {error}"
            raise UsageError(f"{PREFIX}{env_id} {needs}") from error
        try:
            gymnasium.spec(name)
        except gymnasium.error.Error as error:
            hint = "" if module else f" If a package registers it, name the package, too: {PREFIX}PACKAGE:{name}"
            raise UsageError(f"{PREFIX}{env_id}: {error}{hint}") from error
        self._id = name

    @hookimpl
    def config_sections(self) -> Sequence[type[Section]]:
        return [GymOptions]

    @hookimpl
    def bundle(self, names: Sequence[str], plugins: Sequence[str]) -> Bundle:
        """Add plugins with which `dqn` learns and stays learnt; `no:nstep`, for example, drops one."""
        return Bundle(optional=[] if self._shows_images else added_plugins(self._id, names, plugins))

    @hookimpl
    def recommended_values(self, names: Sequence[str]) -> list[Source]:
        return recommended(self._id, [] if self._shows_images else names)

    @cached_property
    def _shows_images(self) -> bool:
        """Whether observations are or have images. An environment is made for that; the assembly reports errors."""
        try:
            env = gymnasium.make(self._id)
        except Exception:
            return False
        env.close()
        return shows_images(env.observation_space)

    @hookimpl
    def make_env(self, config: Config, role: Role) -> Callable[[], gymnasium.Env[Any, Any]]:
        return self.factory(role, config[GymOptions])

    def factory(self, role: Role, options: GymOptions) -> Callable[[], gymnasium.Env[Any, Any]]:
        """Return a function that makes the environment for a role."""
        return partial(self._make_drawing, options) if role == "watch" else partial(make, self._id, options)

    def _make_drawing(self, options: GymOptions) -> gymnasium.Env[Any, Any]:
        try:
            return make(self._id, options, render_mode="rgb_array")
        except TypeError as error:  # its constructor does not know the argument
            raise UsageError(f"draws no pictures: {error}") from error
