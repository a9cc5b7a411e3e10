"""A factory of environments that puts them into actors where several stand side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import gymnasium

from framework.config import Config
from framework.errors import UsageError
from framework.processes.limits import usable_cores
from plugins.ray_envs.options import RayEnvsOptions
from plugins.ray_envs.vector import RemoteEnvs
from plugins.remote import Recipe, cluster


class RemoteFactory:
    """Makes one environment here, or several in actors (`framework.types.SideBySide`)."""

    def __init__(self, factory: Callable[[], gymnasium.Env[Any, Any]], options: RayEnvsOptions, config: Config) -> None:
        self._factory, self._options = factory, options
        self._recipe = Recipe.of(config, {"ray_envs.actors": 0})

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
            local = min(num_envs, usable_cores()) if options.actors is None else options.actors
            opened.enter_context(cluster(options.address, max(usable_cores(), round(local * options.cores + 0.5))))
            actors = _fitting(options, num_envs)
            envs = RemoteEnvs(self._recipe, num_envs, actors, options, global_seeds, wanted)
            envs.at_close = opened.pop_all()
            return envs


def _fitting(options: RayEnvsOptions, num_envs: int) -> int:
    """The number of actors. Raises UsageError if the cluster has too few cores for them, ever."""
    import ray

    cores = float(
        ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
    )
    if options.actors is None:
        return max(1, min(num_envs, int(cores / (options.cores or 1))))
    if options.actors * options.cores > cores:
        raise UsageError(
            f"ray_envs.actors = {options.actors} with ray_envs.cores = {options.cores:g} need "
            f"{options.actors * options.cores:g} cores, and the cluster has {cores:g}: lower one of them; with "
            "ray_envs.cores=0, actors share what there is"
        )
    return options.actors
