"""Data-efficient Rainbow (van Hasselt et al. 2019, appendix E): Rainbow for a budget of 100,000 steps.

It uses 20-step returns and a smaller network: two convolutions of 5×5 with a stride of 5. On Atari, the other values
are also the paper's, with one update after every step. Other environments recommend how fast to learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from framework.config import Config
from framework.hooks import Bundle, hookimpl
from framework.types import Spaces
from plugins.dqn.hookspecs import TorsoConstructor
from plugins.dqn.networks import Convolutional, image_shape, torso_for
from plugins.dqn.options import DQNOptions
from plugins.rainbow import OF_PARTS, ON_ATARI, PARTS, WITHOUT

LAYERS = ((32, 5, 5), (64, 5, 5))
"""(channels, kernel, stride) of each convolution. Images with a side of fewer than 25 pixels get the torso of `dqn`."""

VALUES: Mapping[str, Any] = {**OF_PARTS, "nstep.n": 20, "noisy.sigma": 0.1}

ATARI_VALUES: Mapping[str, Any] = {
    **ON_ATARI,
    **VALUES,
    "run.steps": 100_000,
    "per.beta_horizon": 100_000,
    "replay.capacity": 110_000,  # of frames: 100,000 transitions, and the last frame of each episode
    "learning.starts": 1_600,
    "learning.updates_per_step": 1.0,
    "target.every": 2_000,
    "target.unit": "updates",
    "dqn.hidden": 256,
    "dqn.learning_rate": 1e-4,
    "dqn.max_grad_norm": 10.0,
}


@hookimpl
def bundle(families: Sequence[str]) -> Bundle:
    return Bundle((*PARTS, *WITHOUT), ATARI_VALUES) if "atari" in families else Bundle(PARTS, VALUES)


@hookimpl
def dqn_torso(spaces: Spaces, config: Config) -> TorsoConstructor:
    shape = image_shape(spaces.observation)
    if shape is not None and min(shape[1:]) >= 25:
        return lambda: Convolutional(shape, LAYERS)
    return torso_for(spaces, config[DQNOptions].mlp)
