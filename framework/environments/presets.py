"""What the plugin `gym:ID` recommends: one set of values for every environment, and presets for single ids.

`config` shows each value with its source: "recommended by gym:ID (every environment)", "(every environment, network)",
"(every environment, table)", or "(preset ID, network)".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np

from framework.config import Source

Values = Mapping[str, Any]

RUN: Values = {
    "run.steps": 100_000,
    "evaluation.every": 5_000,
    "evaluation.epsilon": 0.0,  # a random action may cost 100, beside a cliff; episodes end by their own limits
}
"""Values for every environment and every agent."""

NETWORK: Values = {
    "run.num_envs": 4,  # one pass of the network for four actions
    "exploration.share": 0.2,
    "exploration.horizon": 10_000,  # only where the run has no planned length
    "exploration.final": 0.05,
    "replay.capacity": 100_000,  # all of the run: what is no longer explored is not forgotten
    "learning.starts": 1_000,
    "learning.batch_size": 128,
    "learning.updates_per_step": 0.25,
    "dqn.mlp": (128,),
    "dqn.hidden": 128,
    "dqn.learning_rate": 1e-3,
    "dqn.learning_rate_left": 0.0,  # the agent comes to rest
    "nstep.n": 3,
    "polyak.tau": 0.01,
    "averaging.rate": 1e-3,
}
"""Values for `dqn` and the plugins of `ADDED`, where observations are no images."""

TABLE: Values = {
    "exploration.share": 0.5,
    "exploration.horizon": 50_000,  # only where the run has no planned length
    "exploration.final": 0.05,
    "tabular.power": 0.6,  # between ½, where it converges, and Even-Dar & Mansour's 0.77: values spread faster
}
"""Values for the tabular family."""

PRESETS: Mapping[str, Mapping[str, Values]] = {}
"""Environment id → kind of agent ("network", "table" or "any") → values that replace those above."""

ADDED: Mapping[str, Sequence[str]] = {
    "double": ["munchausen"],
    "nstep": ["munchausen"],
    "polyak": ["online"],
    "averaging": [],
}
"""The plugins that are added to `dqn` → the plugins with which they cannot stand."""


def is_image(space: gymnasium.Space[Any] | None) -> bool:
    """Whether observations are images: arrays of uint8 with two axes or more."""
    return isinstance(space, gymnasium.spaces.Box) and space.dtype == np.uint8 and len(space.shape) > 1


def added_plugins(named: Sequence[str], plugins: Sequence[str]) -> list[str]:
    """Return the plugins to add to an agent that does not observe images.

    Args:
        named: the plugins that the user named.
        plugins: every plugin of the composition.
    """
    if "dqn" not in named or "pqn" in plugins:
        return []
    return [part for part, rivals in ADDED.items() if set(rivals).isdisjoint(plugins)]


def recommended(env_id: str, names: Sequence[str]) -> list[Source]:
    """Return the values for an agent that does not observe images, with labels that say where they come from.

    Args:
        env_id: gymnasium's id of the environment.
        names: every plugin of the composition.
    """
    kinds: dict[str, Values] = {"any": RUN}
    if "dqn" in names:
        kinds["network"] = NETWORK
    elif "tabular" in names:
        kinds["table"] = TABLE
    preset = PRESETS.get(env_id, {})
    own = {kind: preset[kind] for kind in kinds if kind in preset}
    replaced = {path for values in own.values() for path in values}
    general = [
        Source(_label("every environment", kind), {path: values[path] for path in values if path not in replaced})
        for kind, values in kinds.items()
    ]
    return general + [Source(_label(f"preset {env_id}", kind), values) for kind, values in own.items()]


def _label(of: str, kind: str) -> str:
    return of if kind == "any" else f"{of}, {kind}"
