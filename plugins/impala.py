"""The deep residual network of IMPALA (Espeholt et al. 2018, figure 3, right) in place of dqn's network for images.

Each of three stages is a 3 × 3 convolution, a max-pooling that halves the side (rounded up), and two residual blocks,
x + conv(ReLU(conv(ReLU(x)))). A ReLU follows the last stage. The hidden layer above has `dqn.hidden` units.

Later agents use more channels (`impala.width`) and pool the output to a fixed side before they flatten it
(`impala.pool`). Beyond the Rainbow (Clark et al. 2024) uses 2 and 6.

Paper → here (Espeholt et al. 2018, figure 3):

| option | paper | here | why |
| --- | --- | --- | --- |
| `impala.width` | 1 | 1 | |
| `impala.pool` | no pooling | 0 | |
| `dqn.hidden` | 256 | 256 | |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from framework.config import Config, Field, Section
from framework.errors import UnsupportedSpace
from framework.hooks import hookimpl
from framework.types import Spaces
from plugins.dqn.hookspecs import TorsoConstructor
from plugins.dqn.networks import image_shape, scaled

CHECK_WITH = "dqn,minatar"

STAGES = (16, 32, 32)
"""Channels of each stage with `impala.width` = 1."""


class ImpalaOptions(Section, name="impala"):
    """The size of the residual network."""

    width: int = Field(1, ge=1, description="factor for the channels of every convolution")
    pool: int = Field(
        0, ge=0, description="side to which the last stage is max-pooled before it is flattened; 0: no pooling"
    )


class Residual(nn.Sequential):
    """x + conv(ReLU(conv(ReLU(x)))), shapes unchanged."""

    def __init__(self, channels: int) -> None:
        convolutions = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)]
        super().__init__(nn.ReLU(), convolutions[0], nn.ReLU(), convolutions[1])

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return x + cast(Tensor, super().forward(x))  # type: ignore[no-untyped-call]


class MaxPoolTo(nn.AdaptiveMaxPool2d):
    """Max-pools images to a fixed side. Where the network is exported, it does so by slices, which every format has."""

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C side side"]:
        if not torch.compiler.is_compiling():
            return super().forward(x)
        rows = [x[:, :, part].amax(2) for part in self._parts(x.shape[2])]
        above = torch.stack(rows, dim=2)
        return torch.stack([above[..., part].amax(3) for part in self._parts(x.shape[3])], dim=3)

    def _parts(self, side: int) -> list[slice]:
        count = cast(int, self.output_size)
        return [slice(k * side // count, -(-(k + 1) * side // count)) for k in range(count)]


class Impala(nn.Module):
    """Maps uint8 images [B, C, H, W] or [B, H, W] to features [B, F] ≥ 0. It first scales the pixels to [0, 1]."""

    def __init__(self, shape: tuple[int, int, int], width: int = 1, pool: int = 0) -> None:
        super().__init__()
        channels, height, across = shape
        modules: list[nn.Module] = []
        for stage in STAGES:
            out = stage * width
            modules += [nn.Conv2d(channels, out, 3, padding=1), nn.MaxPool2d(3, 2, padding=1)]
            modules += [Residual(out), Residual(out)]
            channels, height, across = out, (height + 1) // 2, (across + 1) // 2
        modules.append(nn.ReLU())
        if pool:
            modules.append(MaxPoolTo(pool))
            height = across = pool
        self.layers = nn.Sequential(*modules, nn.Flatten())
        self.features = channels * height * across
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, obs: Shaped[Tensor, "B *obs"]) -> Float[Tensor, "B F"]:
        return cast(Tensor, self.layers(scaled(obs)))


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [ImpalaOptions]


@hookimpl
def dqn_torso(spaces: Spaces, config: Config) -> TorsoConstructor:
    options = config[ImpalaOptions]
    image = image_shape(spaces.observation)
    # the output of the last stage is ⌈side / 8⌉ wide, and pooling must not make it larger
    least = max(1, 8 * (options.pool - 1) + 1)
    if image is None or min(image[1:]) < least:
        sides = f" of at least {least} pixels a side" if least > 1 else ""
        pooled = f" with impala.pool = {options.pool}" if options.pool else ""
        raise UnsupportedSpace(f"uint8 images [channels, height, width]{sides} for impala{pooled}")
    return lambda: Impala(image, options.width, options.pool)
