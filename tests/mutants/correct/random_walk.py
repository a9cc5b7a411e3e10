"""A windy walk along a line, many walkers in one array: a vector environment that resets walkers within the same step.

States 0 … n + 1; the walk starts in a random inner state, the right end pays 1 and the left one nothing. An action
moves left or right, or, with the wind's probability, is turned around. A walk that is too long is cut off.
`walk.side_by_side = false` gives single environments of the same kind instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete
from gymnasium.vector import AutoresetMode, VectorEnv

from framework.config import Config, Field, Section
from framework.hooks import hookimpl

CHECK_WITH = "tabular"


class WalkOptions(Section, name="walk"):
    """The line, and the wind."""

    inner: int = Field(5, ge=1, description="states between the two ends")
    wind: float = Field(0.1, ge=0, le=1, description="probability that a step goes the other way")
    limit: int = Field(40, ge=1, description="steps after which a walk is cut off")
    side_by_side: bool = Field(True, description="one vector environment, or single ones")


class Walkers(VectorEnv[Any, Any, Any]):
    """Each walker draws from a generator of its own, one number for a start and one for each step."""

    def __init__(self, options: WalkOptions, count: int) -> None:
        self.num_envs = count
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space, self.single_action_space = Discrete(options.inner + 2), Discrete(2)
        self.observation_space = MultiDiscrete([options.inner + 2] * count)
        self.action_space = MultiDiscrete([2] * count)
        self.options = options
        self.random = [np.random.default_rng() for _ in range(count)]
        self.place = np.ones(count, np.int64)
        self.made = np.zeros(count, np.int64)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        if isinstance(seed, int):
            seed = [seed + walker for walker in range(self.num_envs)]
        for walker in range(self.num_envs):
            if seed is not None and seed[walker] is not None:
                self.random[walker] = np.random.default_rng(seed[walker])
            self._begin(walker)
        return self.place.copy(), {}

    def _begin(self, walker: int) -> None:
        self.place[walker] = 1 + int(self.random[walker].random() * self.options.inner)
        self.made[walker] = 0

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros(self.num_envs, np.bool_), np.zeros(self.num_envs, np.bool_)
        final = np.full(self.num_envs, None, dtype=object)
        for walker, action in enumerate(actions):
            turned = self.random[walker].random() < self.options.wind
            self.place[walker] += 1 if bool(action) != turned else -1
            self.made[walker] += 1
            at_right = self.place[walker] == self.options.inner + 1
            rewards[walker] = float(at_right)
            terminated[walker] = at_right or self.place[walker] == 0
            truncated[walker] = self.made[walker] >= self.options.limit
            if terminated[walker] or truncated[walker]:
                final[walker] = self.place[walker].copy()
                self._begin(walker)
        over = terminated | truncated
        info = {"final_obs": final, "_final_obs": over} if over.any() else {}
        return self.place.copy(), rewards, terminated, truncated, info


class Walker(gymnasium.Env[np.int64, np.int64]):
    """A single one, by asking `Walkers` of one and undoing its resets."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, options: WalkOptions) -> None:
        self.inside = Walkers(options, 1)
        self.observation_space = self.inside.single_observation_space
        self.action_space = self.inside.single_action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        places, _ = self.inside.reset(seed=[seed])
        return places[0], {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        places, rewards, terminated, truncated, info = self.inside.step([action])
        place = info["final_obs"][0] if info else places[0]
        return place, float(rewards[0]), bool(terminated[0]), bool(truncated[0]), {}


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [WalkOptions]


@hookimpl
def recommended_values() -> Mapping[str, Any]:
    return {"tabular.learning_rate": 0.2, "run.episodes": 150, "returns.gamma": 0.95}


@hookimpl
def make_env(config: Config, num_envs: int) -> Walkers | Callable[[], Walker]:
    options = config[WalkOptions]
    return Walkers(options, num_envs) if options.side_by_side else lambda: Walker(options)
