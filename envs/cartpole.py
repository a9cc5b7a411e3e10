"""The plugin `cartpole`: gymnasium's CartPole-v1 (Barto, Sutton & Anderson 1983) with values that learn it in a minute.

Four numbers describe a cart and the pole on it; the agent pushes the cart left or right. Each step earns 1. The episode
terminates when the pole falls or the cart leaves the track. It is truncated after 500 steps, so 500 is the best return.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium

from framework.environments.gym import GymEnvironment
from framework.environments.gym_options import GymOptions
from framework.hooks import hookimpl
from framework.types import Role

RECOMMENDED: dict[str, Any] = {"run.steps": 30_000, "evaluation.every": 5_000}
"""Values for CartPole with any agent."""

RECOMMENDED_FOR_DQN: dict[str, Any] = {
    "replay.capacity": 30_000,
    "learning.batch_size": 64,
    "learning.starts": 1_000,
    "learning.updates_per_step": 0.5,
    "target.every": 100,
    "target.unit": "env_steps",
    "exploration.shape": "linear",
    "exploration.start": 1.0,
    "exploration.final": 0.05,
    "exploration.horizon": 5_000,
    "exploration.unit": "env_steps",
    "dqn.learning_rate": 1e-3,
    "dqn.hidden": 256,
    "dqn.mlp": (256,),
    "c51.v_min": 0.0,
    "c51.v_max": 100.0,
    "per.beta_horizon": 30_000,
}
"""Values for a network. Action values reach 100, and each copy to the target adds about 1, so copies are frequent."""


@hookimpl
def recommended_values(names: Sequence[str]) -> Mapping[str, Any]:
    return {**RECOMMENDED, **RECOMMENDED_FOR_DQN} if "dqn" in names else RECOMMENDED


@hookimpl
def make_env(role: Role) -> Callable[[], gymnasium.Env[Any, Any]]:
    return GymEnvironment("CartPole-v1").factory(role, GymOptions.model_validate({}))
