"""Connects a run to a cluster, and makes the collector."""

from __future__ import annotations

import numpy as np

from framework.assembly.recipe import Recipe
from framework.config import Config
from framework.options import RecordOptions
from framework.seeding import Seeds
from framework.types import Policy, Spaces
from plugins.ray_collect.collector import ActorCollector
from plugins.ray_collect.elsewhere import Elsewhere
from plugins.ray_collect.options import RayCollectOptions
from plugins.remote import cluster


def start(
    envs: Elsewhere,
    spaces: Spaces,
    policy: Policy,
    options: RayCollectOptions,
    config: Config,
    seeds: Seeds,
    prioritised: bool,
) -> ActorCollector:
    """Connect to the cluster, which ends when the environments are closed. The actors start with the first step.

    Raises:
        UsageError: if the cluster does not answer, or has too few cores.
    """
    actors = options.actors or spaces.num_envs
    shares = [len(share) for share in np.array_split(np.arange(spaces.num_envs), actors)]
    envs.at_close.enter_context(cluster("ray_collect", options.address, actors, options.cores))
    recipe = Recipe.of(config).changed(
        {"ray_collect.actors": 0, "run.device": "cpu", "run.num_envs": max(shares), "run.env_processes": False}
    )
    infos = 1 + len(config[RecordOptions].info)  # is_success is recorded without being asked
    collector = ActorCollector(recipe, shares, options, spaces, policy, seeds, prioritised, infos)
    envs.at_close.callback(collector.close)
    return collector
