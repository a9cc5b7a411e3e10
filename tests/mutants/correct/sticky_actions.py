"""Sticky actions (Machado et al. 2018): at times an environment repeats the action of the step before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.types import Role

CHECK_WITH = "dqn,chain"


class StickyOptions(Section, name="sticky"):
    """How sticky."""

    probability: float = Field(0.25, ge=0, le=1, description="of repeating the last action of the same episode")


class Sticky(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The coin is tossed with the environment's own generator, so that its seed decides."""

    def __init__(self, env: gymnasium.Env[Any, Any], probability: float) -> None:
        super().__init__(env)
        self.probability = probability
        self.last: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.last = None
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        if self.last is None or self.env.unwrapped.np_random.random() >= self.probability:
            self.last = action
        return self.env.step(self.last)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [StickyOptions]


@hookimpl
def env_wrapper(config: Config, role: Role) -> Callable[[gymnasium.Env[Any, Any]], gymnasium.Env[Any, Any]]:
    probability = config[StickyOptions].probability
    return lambda env: Sticky(env, probability)
