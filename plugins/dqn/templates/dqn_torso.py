"""A torso for every kind of observation: it flattens the observation to one row x and applies one normalised layer.

The features are ReLU(LayerNorm(W x + b)). Discrete observations become unit vectors; uint8 ones are scaled to [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.types import Spaces
from plugins.dqn.hookspecs import TorsoConstructor


class MyVariantOptions(Section, name="my_variant"):
    """The option of this plugin. Set it with `--set my_variant.width=256`."""

    width: int = Field(128, ge=1, description="units of the layer, which is the number of features for the stream")


class MyVariantTorso(nn.Module):
    """Maps observations [B, *obs] to features [B, F]. Its attribute `features` is F."""

    def __init__(self, space: gymnasium.Space[Any], width: int) -> None:
        super().__init__()
        self.features = width
        self._states = int(space.n) if isinstance(space, gymnasium.spaces.Discrete) else 0
        self._inputs = self._states or math.prod(space.shape or ())
        self._scale = 1 / 255 if space.dtype == np.uint8 else 1.0
        self.layers = nn.Sequential(nn.Linear(self._inputs, width), nn.LayerNorm(width), nn.ReLU())

    def forward(self, obs: Shaped[Tensor, "B *obs"]) -> Float[Tensor, "B F"]:
        rows = functional.one_hot(obs.long(), self._states) if self._states else obs.reshape(obs.shape[0], self._inputs)
        return cast(Tensor, self.layers(rows.to(torch.get_default_dtype()) * self._scale))


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def dqn_torso(spaces: Spaces, config: Config) -> TorsoConstructor:
    # dqn calls the function that this hook returns when it builds the network
    width = config[MyVariantOptions].width
    return lambda: MyVariantTorso(spaces.observation, width)
