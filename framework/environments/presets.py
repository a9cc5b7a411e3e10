"""What the plugin `gym:ID` recommends: one set of values for every environment, and presets for single ids.

A value without another source was found with one or two seeds; docs/results/environments.md shows what was tried.

`config` shows each value with its source: "recommended by gym:ID (every environment)", "(every environment, network)",
"(every environment, table)", or "(preset ID, network)".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium
import numpy as np

from framework.config import Source

Values = Mapping[str, Any]

RUN: Values = {
    "run.steps": 50_000,
    "evaluation.every": 5_000,
    "evaluation.epsilon": 0.0,  # a random action may cost 100, beside a cliff; episodes end by their own limits
}
"""Values for every environment and every agent."""

NETWORK: Values = {
    "run.num_envs": 4,  # one pass of the network gives four actions
    "exploration.share": 0.2,  # rl-baselines3-zoo: 0.12 to 0.2
    "exploration.horizon": 10_000,  # only where the run has no planned steps
    "exploration.final": 0.05,  # rl-baselines3-zoo: 0.04 to 0.1
    "replay.capacity": 100_000,  # the whole run: what is no longer explored is not forgotten
    "learning.starts": 1_000,  # rl-baselines3-zoo, CartPole and MountainCar
    "learning.batch_size": 128,  # a larger batch costs less than more updates
    "learning.updates_per_step": 0.25,  # the paper's
    "dqn.mlp": (128,),  # with 256 an update takes half as long again
    "dqn.hidden": 128,
    "dqn.learning_rate": 2e-3,  # rl-baselines3-zoo, CartPole: 2.3e-3
    "dqn.learning_rate_left": 0.0,  # the agent comes to rest
    "nstep.n": 3,  # Hessel et al. 2018
    "polyak.tau": 0.02,  # with 0.01 and half the learning rate, CartPole needs twice as many updates
}
"""Values for `dqn` and the plugins of `ADDED`, where observations are no images."""

TABLE: Values = {
    "run.steps": 100_000,
    "exploration.share": 0.8,  # a table learns of all actions what it needs, however the agent acts
    "exploration.horizon": 50_000,  # only where the run has no planned steps
    "exploration.final": 0.05,
    "tabular.power": 0.6,  # above ½, as convergence needs; Even-Dar & Mansour's 0.77 is slower here
}
"""Values for the tabular family."""


@dataclass(frozen=True)
class Preset:
    """What one environment needs beside the general values."""

    any: Values = field(default_factory=dict)
    """Values for every agent; they replace those of `RUN`."""
    network: Values = field(default_factory=dict)
    """Values that replace those of `NETWORK`."""
    table: Values = field(default_factory=dict)
    """Values that replace those of `TABLE`."""
    added: Sequence[str] = ()
    """Plugins that are added to `dqn`, beside those of `ADDED`."""


LINEAR: Values = {
    "dqn.hidden": 0,
    "dqn.learning_rate": 0.3,  # Adam moves a weight by about this much, and values are between −100 and 20
    "polyak.tau": 0.1,
}
"""Values for a network without hidden layers: a table, whose untried actions keep their optimistic 0 and so are tried.

With hidden layers, what is bad in one state makes all states look bad, and Taxi is not learnt within 100,000 steps.
"""

PRESETS: Mapping[str, Preset] = {
    "Acrobot-v1": Preset(
        # one start in about 60 takes all 500 steps, which moves the mean of 10 episodes by 42
        any={"evaluation.episodes": 100, "evaluation.num_envs": 50, "evaluation.every": 10_000},
        # rl-baselines3-zoo's steps; with 50,000, −77 to −95. With the general values, one seed of five ended at −90
        network={
            "run.steps": 100_000,
            "learning.updates_per_step": 0.5,
            "dqn.learning_rate": 5e-4,  # rl-baselines3-zoo: 6.3e-4. With 1e-3, one seed of five ended at −96
            "polyak.tau": 0.005,
        },
    ),
    "MountainCar-v0": Preset(
        network={
            "run.steps": 60_000,  # learnt after 35,000
            "exploration.final": 0.01,  # each random action is taken 19 times in a row, on average
            # of 80 random episodes, 9 leave the valley so, 1 with Dabney et al.'s μ = 2, and 0 without repetition
            "ez_greedy.power": 0.5,
            "ez_greedy.longest": 50,
        },
        added=("ez_greedy",),
    ),
    "FrozenLake-v1": Preset(
        # a success is 1 or 0: with 10 episodes, a mean of 0.74 often shows as 0.6
        any={"evaluation.episodes": 300, "evaluation.num_envs": 50},
        # one random episode of 70 finds the prize; a return of three steps holds exploring ones, which slide elsewhere
        network={"nstep.n": 1, "exploration.share": 0.5},
    ),
    "Taxi-v4": Preset(
        any={"evaluation.episodes": 50, "evaluation.num_envs": 10},  # returns differ by 10, with the place of the start
        network={**LINEAR, "run.steps": 100_000, "exploration.share": 0.5},  # one seed of two needs more than 60,000
        table={"tabular.power": 0.0},  # nothing is random after the start, so α = 1 is exact
    ),
    "Blackjack-v1": Preset(
        # a hand brings 1, 0 or −1: with 10 hands, a mean tells nothing
        any={"evaluation.episodes": 1_000, "evaluation.num_envs": 50},
    ),
    "CliffWalking-v1": Preset(
        any={"evaluation.max_steps": 200},  # without a limit of its own, an early greedy policy walks for ever
        # a random walk takes thousands of steps to the goal; with n = 3, the falls of exploring steps beside the cliff
        # count, and two seeds of five took the safe way of 15 steps
        network={**LINEAR, "nstep.n": 1, "exploration.share": 0.5},
        table={"tabular.power": 0.0},  # nothing is random, so α = 1 is exact
    ),
    "LunarLander-v3": Preset(
        # returns differ by 100, with the place of the start: 10 episodes say little
        any={"evaluation.every": 20_000, "evaluation.episodes": 20, "evaluation.num_envs": 10},
        # with faster values it learnt to hover, or had 178 at the end
        network={
            "run.steps": 400_000,  # above 200 from 160,000 on, and steady at 245 from 340,000 on
            "replay.capacity": 400_000,
            "learning.batch_size": 64,
            "learning.updates_per_step": 0.5,
            "dqn.mlp": (256,),
            "dqn.hidden": 256,
            "dqn.learning_rate": 5e-4,
            "polyak.tau": 0.005,
        },
    ),
}
"""Environment id → its preset."""

ADDED = ("double", "nstep", "polyak", "averaging")
"""The plugins that are added to a `dqn` that the user named."""


def shows_images(space: gymnasium.Space[Any]) -> bool:
    """Whether observations are images, arrays of uint8 with two axes or more, or have images among their parts."""
    if isinstance(space, gymnasium.spaces.Dict):
        return any(map(shows_images, space.spaces.values()))
    if isinstance(space, gymnasium.spaces.Tuple):
        return any(map(shows_images, space.spaces))
    return isinstance(space, gymnasium.spaces.Box) and space.dtype == np.uint8 and len(space.shape) > 1


def added_plugins(env_id: str, named: Sequence[str], plugins: Sequence[str]) -> list[str]:
    """Return the plugins to add to an agent that does not observe images, unless others claim their slots.

    Args:
        env_id: gymnasium's id of the environment.
        named: the plugins that the user named.
        plugins: every plugin of the composition.
    """
    if "dqn" not in named or "pqn" in plugins:
        return []
    wanted = (*ADDED, *PRESETS.get(env_id, Preset()).added)
    # munchausen claims no returns, but refuses those of several steps
    return [part for part in wanted if not (part == "nstep" and "munchausen" in plugins)]


def recommended(env_id: str, names: Sequence[str]) -> list[Source]:
    """Return the values for an agent that does not observe images, with labels that say where they come from.

    Args:
        env_id: gymnasium's id of the environment.
        names: every plugin of the composition.
    """
    preset = PRESETS.get(env_id, Preset())
    kinds = [("", RUN, preset.any)]
    if "dqn" in names:
        kinds.append((", network", NETWORK, preset.network))
    elif "tabular" in names:
        kinds.append((", table", TABLE, preset.table))
    general = [Source(f"every environment{kind}", values) for kind, values, _ in kinds]
    own = [Source(f"preset {env_id}{kind}", values) for kind, _, values in kinds]
    sources = [*general, *own]  # weakest first
    last = {path: source.label for source in sources for path in source.values}
    return [
        replace(source, values={path: value for path, value in source.values.items() if last[path] == source.label})
        for source in sources
    ]
