"""What runs in an actor: some of the environments, which it steps one after the other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import gymnasium

from framework.assembly.recipe import Recipe
from framework.environments.edge import Edge
from plugins.remote import Failure, answered, builder_of, prepare_actor

Shown: TypeAlias = tuple[Any, float, bool, bool, dict[str, Any]]
"""Observation, reward, terminated, truncated, info; after a reset with 0, False, False."""


@dataclass(frozen=True)
class Described:
    """What the vector environment needs to know of a single one."""

    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]
    metadata: dict[str, Any]


class EnvironmentActor:
    """Single environments by their numbers. A method returns the `Failure` if an environment raises an error."""

    def __init__(self, recipe: Recipe, env_ids: Sequence[int], seed: int, wanted: Mapping[str, bool]) -> None:
        """
        Args:
            recipe: with `ray_envs.actors` = 0.
            env_ids: the numbers of its environments.
            seed: for the global random state of the process.
            wanted: the keys of `info` that cross the edge.
        """
        self._recipe, self._env_ids, self._seed, self._wanted = recipe, env_ids, seed, wanted
        self._envs: dict[int, Edge] = {}

    def open(self) -> Described | Failure:
        """Make the environments."""
        return answered(self._open)

    def process(self) -> int:
        """The number of the actor's process."""
        return os.getpid()

    def reset(self, seeds: Mapping[int, int | None]) -> dict[int, Shown] | Failure:
        """Begin episodes: environment → its seed; None: its random generator continues."""
        return answered(lambda: {env_id: self._reset(env_id, seed) for env_id, seed in seeds.items()})

    def step(self, actions: Mapping[int, Any]) -> dict[int, Shown] | Failure:
        """Step some of the environments: environment → its action."""
        return answered(lambda: {env_id: self._envs[env_id].step(action) for env_id, action in actions.items()})

    def play_again(self, episodes: Mapping[int, tuple[int, int, Sequence[Any]]]) -> dict[int, Shown] | Failure:
        """Play episodes again: environment → the last seed, the resets since, and actions.

        The reward is the sum of all rewards.
        """
        return answered(lambda: {env_id: self._play_again(env_id, *episode) for env_id, episode in episodes.items()})

    def _open(self) -> Described:
        prepare_actor(self._seed)
        factory = builder_of(self._recipe).single_environments("train", len(self._env_ids))
        self._envs = {env_id: Edge(factory(), self._wanted) for env_id in self._env_ids}
        env = self._envs[self._env_ids[0]]
        return Described(env.observation_space, env.action_space, dict(env.metadata))

    def _reset(self, env_id: int, seed: int | None) -> Shown:
        obs, info = self._envs[env_id].reset(seed=seed)
        return obs, 0.0, False, False, info

    def _play_again(self, env_id: int, seed: int, since: int, actions: Sequence[Any]) -> Shown:
        shown = self._reset(env_id, seed)
        for _ in range(since):
            shown = self._reset(env_id, None)
        total = 0.0
        for action in actions:
            shown = self._envs[env_id].step(action)
            total += shown[1]
        return shown[0], total, *shown[2:]
