"""Plays episodes of a trained agent for somebody who watches: a window, a video or the film strip of a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, SupportsFloat

import gymnasium
import numpy as np

from framework.assembly.parts import Agent
from framework.defaults.exploration import EpsilonGreedy
from framework.errors import UsageError
from framework.options import EvaluationOptions
from framework.types import Counters

PICTURES_PER_SECOND = 15
"""Where the environment's metadata declare no `render_fps`."""


def play(
    agent: Agent, episodes: int, wrapper: Callable[[Any], gymnasium.Env[Any, Any]], seed: int = 0
) -> Iterator[tuple[float, bool]]:
    """Play episodes as evaluations do. Yield the raw return of each, and whether evaluation.max_steps cut it off.

    Args:
        wrapper: put around the environment, which has the role "watch".
        seed: the seed of the episodes.
    """
    name = f"watch/{seed}"
    epsilon = agent.config[EvaluationOptions].epsilon
    exploration = EpsilonGreedy(lambda counters: epsilon, agent.seeds.generator(f"evaluation/{name}"))
    stream = agent.open_stream("watch", 1, name, [wrapper])
    try:
        counters, total, played = Counters(), 0.0, 0
        while played < episodes:
            obs = stream.observations
            stream.begin(exploration.choose(agent.policy.action_values(obs, explore=False), obs, counters))
            step = stream.finish()
            counters.advance(step)
            total += float(step.raw_reward.sum())
            if step.over.any() or stream.cut.any():
                yield total, bool(stream.cut.any())
                total = 0.0
                played += 1
    finally:
        stream.close()


class Film(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Passes a picture to `write` after each reset and each step, also after the last step of an episode."""

    def __init__(
        self, env: gymnasium.Env[Any, Any], write: Callable[[np.ndarray, float], None], episodes: int | None = None
    ) -> None:
        """Args:
        env: an environment that draws pictures.
        write: called with a picture [H, W, 3] and how many of them are shown in a second.
        episodes: how many episodes are pictured; None pictures the first moment of the one after the last, too.
        """
        super().__init__(env)
        self._write = write
        self._left = math.inf if episodes is None else episodes + 1
        self._rate = float(env.metadata.get("render_fps") or PICTURES_PER_SECOND)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        result = super().reset(seed=seed, options=options)
        self._left -= 1
        self._take()
        return result

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        result = super().step(action)
        self._take()
        return result

    def _take(self) -> None:
        if self._left <= 0:
            return
        try:
            picture: Any = self.env.render()
        except NotImplementedError:
            picture = None
        if not isinstance(picture, np.ndarray):
            raise UsageError("draws no pictures: its render_mode must be 'rgb_array' for the role 'watch'")
        self._write(picture, self._rate)
