"""Plays episodes, and gives what the agent saw, valued and did at each step, with a picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from jaxtyping import Float, Shaped, UInt8

from framework.assembly.parts import Agent
from framework.defaults.exploration import EpsilonGreedy
from framework.errors import UsageError
from framework.inspection.picture import as_picture
from framework.options import EvaluationOptions
from framework.types import Counters

PICTURES_PER_SECOND = 15.0
"""Where the environment's metadata declare no `render_fps`."""

Picture = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class Decision:
    """What an agent saw, valued and chose."""

    obs: Shaped[np.ndarray, "1 *obs"]
    values: Float[np.ndarray, " A"]
    """The action values, of actions that the environment does not allow, too."""
    action: int


@dataclass(frozen=True)
class Moment:
    """One picture of an episode."""

    picture: Picture
    rate: float
    """How many pictures are shown in a second."""
    decision: Decision | None
    """None: the episode is over, and this is its last picture."""
    total: float
    """The raw return up to this picture."""
    cut: bool = False
    """Whether the episode was cut off at evaluation.max_steps."""


def moments(agent: Agent, episodes: int, seed: int = 0) -> Iterator[Moment]:
    """Play episodes without learning, ε-greedily as in evaluations, and yield each picture in its order.

    Args:
        seed: another seed gives other episodes.

    Raises:
        UsageError: if the environment draws no pictures.
    """
    pictures: deque[tuple[Picture, float]] = deque()
    name = f"watch/{seed}"
    epsilon = agent.config[EvaluationOptions].epsilon
    exploration = EpsilonGreedy(lambda counters: epsilon, agent.seeds.generator(f"evaluation/{name}"))
    stream = agent.open_stream("watch", 1, name, [partial(Pictured, pictures=pictures)])
    try:
        counters, total, played = Counters(), 0.0, 0
        while played < episodes:
            obs = stream.observations
            values = agent.policy.action_values(obs, explore=False)
            actions = exploration.choose(values, obs, counters)
            yield Moment(*pictures.popleft(), Decision(obs, values[0], int(actions[0])), total)
            stream.begin(actions)
            step = stream.finish()
            counters.advance(step)
            total += float(step.raw_reward.sum())
            cut = bool(stream.cut.any())
            if step.over.any() or cut:
                # the picture of the next episode's beginning is there already
                yield Moment(*pictures.popleft(), None, total, cut)
                total = 0.0
                played += 1
    finally:
        stream.close()


class Pictured(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Keeps a picture and the rate of pictures after each reset and each step, also after an episode's last step."""

    def __init__(self, env: gymnasium.Env[Any, Any], pictures: deque[tuple[Picture, float]]) -> None:
        super().__init__(env)
        self._pictures = pictures
        self._rate = float(env.metadata.get("render_fps") or PICTURES_PER_SECOND)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        result = super().reset(seed=seed, options=options)
        self._take()
        return result

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        result = super().step(action)
        self._take()
        return result

    def _take(self) -> None:
        try:
            picture: Any = self.env.render()
        except NotImplementedError:
            picture = None
        if not isinstance(picture, np.ndarray):
            raise UsageError("draws no pictures: its render_mode must be 'rgb_array' for the role 'watch'")
        self._pictures.append((as_picture(picture), self._rate))
