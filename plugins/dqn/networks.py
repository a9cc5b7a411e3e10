"""The default torsos, the default stream, and the network of torso, stream and head."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

import gymnasium
import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional

from framework.errors import UnsupportedSpace
from framework.types import Spaces
from plugins.dqn.hookspecs import Head, LinearConstructor, Output, TorsoConstructor
from plugins.dqn.maths import one_hot

Observation: TypeAlias = Tensor | Mapping[str, Tensor]
"""A batch of observations [B, *obs]; or leaf → the batch of this leaf, for observations of several leaves."""

NATURE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""(channels, kernel, stride) of each convolution of Mnih et al. 2015. For images of at least 64 pixels a side."""

SMALL = ((16, 4, 2), (32, 3, 2), (32, 3, 2))
"""The same for images of at least 18 pixels a side."""

TINY = ((16, 3, 1),)
"""The convolution of Young & Tian 2019, for the boards of MinAtar and other images of at least 3 pixels a side."""


class OneHot(nn.Module):
    """Turns the states 0…n−1 into unit vectors, so that a linear layer after it works as a table."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, obs: Shaped[Tensor, " B"]) -> Float[Tensor, "B F"]:
        return one_hot(obs.long(), self.features)


class OneHots(nn.Module):
    """Turns several numbers, the i-th of them below `sizes[i]`, into one unit vector for each, joined."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self._sizes = sizes
        self.features = sum(sizes)

    def forward(self, obs: Shaped[Tensor, "B *obs"]) -> Float[Tensor, "B F"]:
        parts = obs.long().flatten(1).unbind(1)
        vectors = [functional.one_hot(part, size) for part, size in zip(parts, self._sizes, strict=True)]
        return torch.cat(vectors, dim=1).to(torch.get_default_dtype())


class FullyConnected(nn.Module):
    """Fully connected layers with ReLU for flat observations. It scales those of uint8 (a memory, say) to [0, 1]."""

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        sizes = (inputs, *widths)
        layers = [module for pair in zip(sizes, widths, strict=False) for module in (nn.Linear(*pair), nn.ReLU())]
        self.layers = nn.Sequential(nn.Flatten(), *layers)
        self.features = sizes[-1]

    def forward(self, obs: Shaped[Tensor, "B *obs"]) -> Float[Tensor, "B F"]:
        numbers = obs.reshape(obs.shape[0], -1).to(torch.get_default_dtype())
        return cast(Tensor, self.layers(numbers / 255 if obs.dtype == torch.uint8 else numbers))


def image_shape(space: gymnasium.Space[Any]) -> tuple[int, int, int] | None:
    """Return (channels, height, width) of a space of uint8 images [C, H, W] or [H, W]; None for any other space."""
    shape = space.shape or ()
    if space.dtype != np.uint8 or len(shape) not in (2, 3):
        return None
    channels = shape[0] if len(shape) == 3 else 1
    return channels, shape[-2], shape[-1]


FEW = 8
"""Up to this many channels, blocks of pixels as channels save more time than they cost."""

INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""The dtype that holds this number of neighbouring pixels of one byte each."""


def scaled(obs: Shaped[Tensor, "B *obs"], block: int = 1) -> Float[Tensor, "B C H W"]:
    """Scale uint8 images [B, C, H, W] or [B, H, W] to [0, 1], in the dtype in which layers compute.

    The result has its channels last in memory: convolutions on a CPU are then up to twice as fast.

    Args:
        block: if it is n > 1, each block of n × n pixels becomes one pixel with C · n² channels, whose order is
            (channel, row, column). Pixels beyond the last whole block are left out.
    """
    kind = obs.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.get_default_dtype()
    images = obs if obs.ndim == 4 else obs[:, None]
    if torch.compiler.is_compiling():  # formats of files, such as ONNX, know no views of bytes as larger numbers
        rows, columns = (side // block * block for side in images.shape[2:])
        return functional.pixel_unshuffle(images[:, :, :rows, :columns].to(dtype) * (1 / 255), block)
    if block == 1:
        planes = images.unbind(1)
    else:
        rows, columns = images.shape[2] // block, images.shape[3] // block
        whole = images[:, :, : rows * block, : columns * block].contiguous()
        # the pixels of a block's row stay side by side: move them as one number
        numbers = whole.view(INTEGERS[block]).view(*images.shape[:2], rows, block, columns)
        planes = tuple(plane for channel in numbers.unbind(1) for plane in channel.unbind(2))
    # reorder first, while a pixel is one byte; `stack` takes two thirds of the time of `contiguous`
    channels_last = torch.stack(planes, dim=-1).view(torch.uint8)
    return channels_last.to(dtype).mul_(1 / 255).permute(0, 3, 1, 2)


class BlockConv2d(nn.Conv2d):
    """The convolution `nn.Conv2d`, for images of which `scaled` made blocks of stride × stride pixels.

    The kernel's side is a multiple of the stride, so the kernel covers whole blocks. The stride is then 1, and there
    are more channels. In bfloat16, the gradient then takes less time than with a stride of 2 over two channels.
    """

    def forward(self, blocks: Float[Tensor, "B C H W"]) -> Float[Tensor, "B out h w"]:
        return functional.conv2d(blocks, self._weight_for_blocks(), self.bias)

    def _weight_for_blocks(self) -> Tensor:
        side = self.stride[0]
        blocks = self.kernel_size[0] // side
        parts = self.weight.view(*self.weight.shape[:2], blocks, side, blocks, side)  # [out, C, y, row, x, column]
        return parts.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)


class Convolutional(nn.Module):
    """Convolutions with ReLU for uint8 images [B, C, H, W] or [B, H, W], which it scales to [0, 1]."""

    def __init__(self, shape: tuple[int, int, int], layers: tuple[tuple[int, int, int], ...]) -> None:
        super().__init__()
        channels, height, width = shape
        _, kernel, stride = layers[0]
        self._block = stride if kernel % stride == 0 and channels * stride**2 <= FEW else 1
        modules: list[nn.Module] = []
        for out, kernel, stride in layers:
            kind = BlockConv2d if self._block > 1 and not modules else nn.Conv2d
            # in place: the gradient of a convolution does not need its output, and new memory costs page faults
            modules += [kind(channels, out, kernel, stride), nn.ReLU(inplace=True)]
            channels, height, width = out, (height - kernel) // stride + 1, (width - kernel) // stride + 1
        self.layers = nn.Sequential(*modules, nn.Flatten())
        self.features = channels * height * width
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, obs: Shaped[Tensor, "B *obs"]) -> Float[Tensor, "B F"]:
        return cast(Tensor, self.layers(scaled(obs, self._block)))


class Joined(nn.Module):
    """A torso for each leaf of an observation; their features, one after the other."""

    def __init__(self, torsos: Mapping[str, Callable[[], nn.Module]]) -> None:
        super().__init__()
        self._names = tuple(torsos)
        self.torsos = nn.ModuleList(build() for build in torsos.values())
        self.features = sum(int(cast(Any, torso).features) for torso in self.torsos)

    def forward(self, obs: Mapping[str, Tensor]) -> Float[Tensor, "B F"]:
        found = zip(self._names, self.torsos, strict=True)
        return torch.cat([torso(obs[name]).flatten(1) for name, torso in found], dim=1)


def torso_for(spaces: Spaces, mlp: tuple[int, ...]) -> TorsoConstructor:
    """Return the constructor of the torso that suits the observations.

    Args:
        mlp: units of each layer for flat observations.

    Raises:
        UnsupportedSpace: for images of fewer than 3 pixels a side, and for images with more axes than channels, height
            and width.
    """
    space = spaces.observation
    if isinstance(space, gymnasium.spaces.Discrete):
        return lambda: OneHot(int(space.n))
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        return lambda: OneHots(tuple(map(int, space.nvec.flat)))
    shape = space.shape or ()
    if space.dtype != np.uint8 or len(shape) < 2:
        return lambda: FullyConnected(math.prod(shape), mlp)
    image = image_shape(space)
    if image is None or min(image[1:]) < 3:
        raise UnsupportedSpace(
            "flat observations, or uint8 images [channels, height, width] of at least 3 pixels a side"
        )
    side = min(image[1:])
    layers = NATURE if side >= 64 else SMALL if side >= 18 else TINY
    return lambda: Convolutional(image, layers)


class ActionStream(nn.Module):
    """Maps features [B, F] to numbers [B, A, width] through one hidden layer with ReLU; none if `hidden` is 0.

    The last layer computes in the dtype of its weights also where other layers compute in bfloat16. Action values of
    bfloat16 would have 8 bits: around 20, values that differ by less than 0.06 would be equal.
    """

    def __init__(self, linear: LinearConstructor, features: int, actions: int, width: int, hidden: int) -> None:
        super().__init__()
        self.shape = (actions, width)
        outputs = actions * width
        if hidden:
            self.layers = nn.Sequential(linear(features, hidden), nn.ReLU(), linear(hidden, outputs))
        else:
            self.layers = nn.Sequential(linear(features, outputs))

    def forward(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B A width"]:
        *hidden, last = self.layers
        for layer in hidden:
            features = layer(features)
        return _in_full_precision(last, features).reshape(features.shape[0], *self.shape)


def _in_full_precision(layer: nn.Module, given: Tensor) -> Tensor:
    kind = given.device.type
    if not torch.is_autocast_enabled(kind):
        return cast(Tensor, layer(given))
    with torch.autocast(kind, enabled=False):
        return cast(Tensor, layer(given.to(torch.get_default_dtype())))


class QNetwork(nn.Module):
    """The whole network: torso → stream → head. It gets what `DQNPolicy.tensors` returns.

    Args:
        computing: the dtype in which torso and stream compute; None is the dtype of their weights. Their outputs are
            converted to the default dtype, in which the head computes. The last layer of the default stream keeps the
            dtype of its weights.
    """

    def __init__(self, torso: nn.Module, stream: nn.Module, head: Head, computing: torch.dtype | None = None) -> None:
        super().__init__()
        self.torso, self.stream, self.head = torso, stream, head
        self.computing = computing

    def forward(self, obs: Observation) -> Output:
        if self.computing is None:
            return self.head(self.torso(obs), self.stream)
        return self.head(self._reduced(self.torso, obs), lambda features: self._reduced(self.stream, features))

    def _reduced(self, module: nn.Module, given: Observation) -> Tensor:
        with torch.autocast(next(self.parameters()).device.type, self.computing):
            return cast(Tensor, module(given).to(torch.get_default_dtype()))
