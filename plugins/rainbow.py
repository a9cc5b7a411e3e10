"""Rainbow (Hessel et al. 2018): six improvements of DQN in one agent, with the hyperparameters of the paper's table 1.

The paper tuned the table on Atari, so `rainbow,pong` uses all of it. Other environments use only the values that belong
to single parts, and recommend how fast to learn. `rainbow,no:per,pong` is Rainbow without prioritised replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from framework.hooks import Bundle, hookimpl

PARTS = ("dqn", "double", "dueling", "nstep", "per", "noisy", "c51")

WITHOUT = ("no:mirror", "no:averaging")
"""What an environment would add, and the papers' agents do not have."""

OF_PARTS: Mapping[str, Any] = {
    "nstep.n": 3,
    "per.alpha": 0.5,
    "per.beta": 0.4,
    "noisy.sigma": 0.5,
    "c51.atoms": 51,
}

ON_ATARI: Mapping[str, Any] = {
    **OF_PARTS,
    "c51.v_min": -10.0,
    "c51.v_max": 10.0,
    "per.beta_horizon": 50_000_000,
    "run.steps": 50_000_000,
    "run.num_envs": 1,
    "returns.gamma": 0.99,
    "replay.capacity": 1_000_000,
    "learning.starts": 20_000,
    "learning.batch_size": 32,
    "learning.updates_per_step": 0.25,
    "target.every": 8_000,
    "target.unit": "env_steps",
    "dqn.hidden": 512,
    "dqn.learning_rate": 6.25e-5,
    "dqn.adam_epsilon": 1.5e-4,
    "dqn.max_grad_norm": 0.0,
    "dqn.precision": "float32",
    "atari.view": "screen",
    "atari.size": 84,
    "atari.actions": "minimal",
    "atari.stack": 4,
    "atari.noop_max": 30,
    "atari.frame_skip": 4,
}
"""The paper counts frames. One environment step is four frames, so its 200 million frames are 50 million steps."""


@hookimpl
def bundle(families: Sequence[str]) -> Bundle:
    return Bundle((*PARTS, *WITHOUT), ON_ATARI) if "atari" in families else Bundle(PARTS, OF_PARTS)
