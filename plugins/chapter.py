"""The exact hyperparameters of a textbook's chapter: `chapter,chain` is its Q-learning, `chapter,pong` its DQN."""

from __future__ import annotations

from collections.abc import Sequence

from framework.errors import UsageError
from framework.hooks import Bundle, hookimpl

CHAIN = Bundle(
    plugins=("tabular",),
    values={
        "run.episodes": 100,
        "tabular.learning_rate": 1.0,
        "tabular.initial": 0.0,
        "returns.gamma": 0.9,
        "exploration.shape": "linear",
        "exploration.start": 1.0,
        "exploration.final": 0.0,
        "exploration.horizon": 100,
        "exploration.unit": "episodes",
    },
)

ATARI = Bundle(
    plugins=("dqn", "no:mirror", "no:averaging"),
    values={
        "run.episodes": 2_000,
        "run.num_envs": 1,
        "returns.gamma": 0.99,
        "replay.capacity": 20_000,
        "learning.batch_size": 64,
        "learning.starts": 10_000,
        "learning.updates_per_step": 1.0,
        "target.every": 1_000,
        "target.unit": "env_steps",
        "exploration.shape": "exponential",
        "exploration.start": 1.0,
        "exploration.final": 0.005,
        "exploration.horizon": 100_000,
        "exploration.unit": "env_steps",
        "dqn.loss": "squared",
        "dqn.learning_rate": 1e-4,
        "dqn.hidden": 512,
        "dqn.max_grad_norm": 0.0,
        "dqn.precision": "float32",
        "atari.view": "screen",
        "atari.size": 84,
        "atari.actions": "minimal",
        "atari.stack": 4,
        "atari.noop_max": 0,
        "atari.fire_on_reset": True,
        "atari.frame_skip": 4,
    },
)


@hookimpl
def bundle(names: Sequence[str], families: Sequence[str]) -> Bundle:
    if "atari" in families:
        return ATARI
    if "chain" in names:
        return CHAIN
    raise UsageError("chapter has values for the chain and for Atari only: add chain, pong or atari")
