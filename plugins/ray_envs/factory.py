"""A factory of environments that puts them into actors where several stand side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import gymnasium

from framework.assembly.recipe import Recipe
from framework.config import Config
from framework.errors import UsageError
from plugins.ray_envs.options import RayEnvsOptions
from plugins.ray_envs.vector import RemoteEnvs
from plugins.remote import cluster


class RemoteFactory:
    """Makes one environment here, or several in actors (`framework.types.SideBySide`)."""

    def __init__(self, factory: Callable[[], gymnasium.Env[Any, Any]], options: RayEnvsOptions, config: Config) -> None:
        self._factory, self._options = factory, options
        self._recipe = Recipe.of(config).changed({"ray_envs.actors": 0})

    def __call__(self) -> gymnasium.Env[Any, Any]:
        return self._factory()

    def side_by_side(self, num_envs: int, global_seeds: Sequence[int], wanted: Mapping[str, bool]) -> RemoteEnvs:
        """Connect to the cluster, and start the actors.

        Raises:
            UsageError: if there are fewer environments than actors, or the cluster does not answer or is too small.
        """
        options = self._options
        if options.actors is not None and options.actors > num_envs:
            raise UsageError(
                f"ray_envs.actors = {options.actors} is more than run.num_envs = {num_envs}: lower it, or raise "
                "--num-envs"
            )
        with ExitStack() as opened:
            wished = 1 if options.actors is None else options.actors
            there = opened.enter_context(cluster("ray_envs", options.address, wished, options.cores))
            actors = options.actors or max(1, min(num_envs, int(there / (options.cores or 1))))
            envs = RemoteEnvs(self._recipe, num_envs, actors, options, global_seeds, wanted)
            envs.at_close = opened.pop_all()
            return envs
