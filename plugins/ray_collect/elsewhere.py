"""The place of the training environments in the run's process, while they play in actors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from framework.environments.stream import vectorise
from framework.types import State


class Elsewhere(VectorEnv[Any, Any, Any]):
    """Shows the spaces, the metadata and a first observation of N environments that play in actors. It cannot step.

    It has a state of nothing: the episodes under way end with the actors, and a run that continues begins new ones.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], num_envs: int) -> None:
        """
        Args:
            env: one environment like those of the actors, or `num_envs`. Its first reset closes it.
            num_envs: N.
        """
        self._env, self._copies = env, num_envs // env.num_envs
        self.num_envs = num_envs
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space, self.single_action_space = env.single_observation_space, env.single_action_space
        self.observation_space = batch_space(env.single_observation_space, num_envs)
        self.action_space = batch_space(env.single_action_space, num_envs)
        self.at_close = ExitStack()
        """What ends when the environments are closed: the actors, and the Ray that was started for them."""

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """The first observations of an episode, which nobody plays on."""
        try:
            seeds: Any = list(seed[: self._env.num_envs])
            observations, info = self._env.reset(seed=seeds)
        except (TypeError, ValueError, gymnasium.error.Error):  # some vector environments take a single seed
            observations, info = self._env.reset(seed=seed[0])
        self._env.close()
        return self._repeated(observations), self._repeated(info)

    def step(self, actions: Any) -> Any:
        raise RuntimeError("these environments play in actors: the plugin ray_collect steps them")

    def state_dict(self) -> State:
        return {}

    def load_state_dict(self, state: State) -> None:
        """There is nothing to restore."""

    def close_extras(self, **kwargs: Any) -> None:
        """End what plays elsewhere."""
        self._env.close()
        self.at_close.close()

    def _repeated(self, node: Any) -> Any:
        if isinstance(node, Mapping):
            return {key: self._repeated(value) for key, value in node.items()}
        if isinstance(node, tuple):
            return tuple(self._repeated(value) for value in node)
        return np.repeat(node, self._copies, axis=0) if isinstance(node, np.ndarray) else node


class ElsewhereFactory:
    """Makes one environment here, or shows several that play elsewhere (`framework.types.SideBySide`)."""

    def __init__(self, factory: Callable[[], gymnasium.Env[Any, Any]]) -> None:
        self._factory = factory

    def __call__(self) -> gymnasium.Env[Any, Any]:
        return self._factory()

    def side_by_side(self, num_envs: int, global_seeds: Sequence[int], wanted: Mapping[str, bool]) -> Elsewhere:
        """One environment in the place of all."""
        return Elsewhere(vectorise(self._factory, 1, wanted=wanted), num_envs)
