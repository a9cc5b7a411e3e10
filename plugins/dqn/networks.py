"""Torsos for each kind of observation, the stream above them, and the network that joins them with a head."""

from __future__ import annotations

import math
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from framework.errors import UnsupportedSpace
from framework.types import Spaces
from plugins.dqn.hookspecs import Head, LinearConstructor, Output, TorsoConstructor

NATURE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""(channels, kernel, stride) of each layer of the network of Mnih et al. 2015, for images of 64 pixels and more."""

SMALL = ((16, 4, 2), (32, 3, 2), (32, 3, 2))
"""The same for images of fewer pixels; it needs 18 at least."""

TINY = ((16, 3, 1),)
"""The network of Young & Tian 2019, for the boards of MinAtar and whatever else has fewer; it needs 3 at least."""


class OneHot(nn.Module):
    """States 0…n−1 as unit vectors: a linear layer above it is a table."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, obs: Shaped[Tensor, " B"]) -> Float[Tensor, "B F"]:
        return functional.one_hot(obs.long(), self.features).to(torch.get_default_dtype())


class FullyConnected(nn.Module):
    """Flat observations through layers with ReLU. Nothing is scaled."""

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        sizes = (inputs, *widths)
        layers = [module for pair in zip(sizes, widths, strict=False) for module in (nn.Linear(*pair), nn.ReLU())]
        self.layers = nn.Sequential(nn.Flatten(), *layers)
        self.features = sizes[-1]

    def forward(self, obs: Shaped[Tensor, "B *obs"]) -> Float[Tensor, "B F"]:
        return cast(Tensor, self.layers(obs.to(torch.get_default_dtype())))


def image_shape(space: gymnasium.Space[Any]) -> tuple[int, int, int] | None:
    """(channels, height, width) of uint8 images, with an axis for channels or without; None for anything else."""
    shape = space.shape or ()
    if space.dtype != np.uint8 or len(shape) not in (2, 3):
        return None
    channels = shape[0] if len(shape) == 3 else 1
    return channels, shape[-2], shape[-1]


def scaled(obs: Shaped[Tensor, "B *obs"]) -> Float[Tensor, "B C H W"]:
    """uint8 images [B, C, H, W] or [B, H, W] in [0, 1], in the dtype that layers compute in.

    Channels are last in memory, where convolutions are up to twice as fast on processors.
    """
    kind = obs.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.get_default_dtype()
    images = obs if obs.ndim == 4 else obs[:, None]
    # reordered while a pixel is one byte, and by stacking, which takes two thirds of the time of `contiguous`
    channels_last = torch.stack(images.unbind(1), dim=-1)
    return channels_last.to(dtype).mul_(1 / 255).permute(0, 3, 1, 2)


class Convolutional(nn.Module):
    """uint8 images [B, C, H, W] or [B, H, W], scaled to [0, 1], through convolutions with ReLU."""

    def __init__(self, shape: tuple[int, int, int], layers: tuple[tuple[int, int, int], ...]) -> None:
        super().__init__()
        channels, height, width = shape
        modules: list[nn.Module] = []
        for out, kernel, stride in layers:
            # in place: a convolution's gradient does not need its result, and fresh memory costs page faults
            modules += [nn.Conv2d(channels, out, kernel, stride), nn.ReLU(inplace=True)]
            channels, height, width = out, (height - kernel) // stride + 1, (width - kernel) // stride + 1
        self.layers = nn.Sequential(*modules, nn.Flatten())
        self.features = channels * height * width
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, obs: Shaped[Tensor, "B *obs"]) -> Float[Tensor, "B F"]:
        return cast(Tensor, self.layers(scaled(obs)))


def torso_for(spaces: Spaces, mlp: tuple[int, ...]) -> TorsoConstructor:
    """The torso that suits the observations.

    Raises:
        UnsupportedSpace: for images that are too small, or of more axes than channels, height and width.
    """
    space = spaces.observation
    if isinstance(space, gymnasium.spaces.Discrete):
        return lambda: OneHot(int(space.n))
    shape = space.shape or ()
    if not shape:
        raise UnsupportedSpace("observations with at least one axis, or Discrete ones")
    if space.dtype != np.uint8 or len(shape) < 2:
        return lambda: FullyConnected(math.prod(shape), mlp)
    image = image_shape(space)
    if image is None or min(image[1:]) < 3:
        raise UnsupportedSpace(
            "flat observations or uint8 images [channels, height, width] of at least 3 pixels a side"
        )
    side = min(image[1:])
    layers = NATURE if side >= 64 else SMALL if side >= 18 else TINY
    return lambda: Convolutional(image, layers)


class ActionStream(nn.Module):
    """Features [B, F] → [B, A, width] through one hidden layer with ReLU, or none."""

    def __init__(self, linear: LinearConstructor, features: int, actions: int, width: int, hidden: int) -> None:
        super().__init__()
        self.shape = (actions, width)
        outputs = actions * width
        if hidden:
            self.layers = nn.Sequential(linear(features, hidden), nn.ReLU(), linear(hidden, outputs))
        else:
            self.layers = nn.Sequential(linear(features, outputs))

    def forward(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B A width"]:
        return cast(Tensor, self.layers(features).unflatten(1, self.shape))


class QNetwork(nn.Module):
    """torso → stream → head.

    Args:
        computing: the dtype in which torso and stream compute; None: in that of their weights. What they give, and so
            the head, is always of the default dtype.
    """

    def __init__(self, torso: nn.Module, stream: nn.Module, head: Head, computing: torch.dtype | None = None) -> None:
        super().__init__()
        self.torso, self.stream, self.head = torso, stream, head
        self.computing = computing

    def forward(self, obs: Shaped[Tensor, "B *obs"]) -> Output:
        if self.computing is None:
            return self.head(self.torso(obs), self.stream)
        return self.head(self._reduced(self.torso, obs), lambda features: self._reduced(self.stream, features))

    def _reduced(self, module: nn.Module, given: Tensor) -> Tensor:
        with torch.autocast(given.device.type, self.computing):
            return cast(Tensor, module(given).to(torch.get_default_dtype()))
