"""Which network each kind of observation gets, and what it computes."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.environments.frames import stacked_space
from framework.errors import UnsupportedSpace
from framework.types import Spaces
from plugins.dqn.head import ScalarHead
from plugins.dqn.networks import (
    NATURE,
    SMALL,
    TINY,
    ActionStream,
    BlockConv2d,
    Convolutional,
    FullyConnected,
    QNetwork,
    image_shape,
    scaled,
    torso_for,
)

B, A = 7, 3


pytestmark = pytest.mark.usefixtures("float64")


def spaces_of(space: gymnasium.Space, stack: int = 1) -> Spaces:
    return Spaces(stacked_space(space, stack), gymnasium.spaces.Discrete(A), space, stack, "repeat", 1)


def image_of(size: int, stack: int = 4) -> Spaces:
    return spaces_of(gymnasium.spaces.Box(0, 255, (size, size), np.uint8), stack)


def test_the_chapters_network() -> None:
    """conv 32@8×8/4, 64@4×4/2, 64@3×3/1, flatten to 3136, linear 512, linear A."""
    torso = torso_for(image_of(84), ())()
    assert isinstance(torso, Convolutional)
    convs = [layer for layer in torso.layers if isinstance(layer, torch.nn.Conv2d)]
    assert tuple((c.out_channels, c.kernel_size[0], c.stride[0]) for c in convs) == NATURE
    assert torso.features == 3136
    network = QNetwork(torso, ActionStream(torch.nn.Linear, 3136, 6, 1, 512), ScalarHead("squared"))
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_687_206
    assert network(torch.zeros(2, 4, 84, 84, dtype=torch.uint8)).values.shape == (2, 6)


@pytest.mark.parametrize("size", [18, 36, 42, 63])
def test_small_images_get_the_small_network(size: int) -> None:
    torso = torso_for(image_of(size), ())()
    assert tuple(layer.out_channels for layer in torso.layers if isinstance(layer, torch.nn.Conv2d)) == (16, 32, 32)
    assert len(SMALL) == 3
    assert torso(torch.zeros(2, 4, size, size, dtype=torch.uint8)).shape == (2, torso.features)


def test_boards_get_the_network_of_minatar() -> None:
    """conv 16@3×3/1, flatten to 1024, linear 128, linear A: Young & Tian 2019 on Breakout's four channels."""
    torso = torso_for(spaces_of(gymnasium.spaces.Box(0, 255, (4, 10, 10), np.uint8)), ())()
    convs = [layer for layer in torso.layers if isinstance(layer, torch.nn.Conv2d)]
    assert tuple((c.out_channels, c.kernel_size[0], c.stride[0]) for c in convs) == TINY
    assert torso.features == 1024
    network = QNetwork(torso, ActionStream(torch.nn.Linear, 1024, A, 1, 128), ScalarHead("huber"))
    assert sum(parameter.numel() for parameter in network.parameters()) == 592 + 131_200 + 129 * A
    image = torch.randint(0, 256, (2, 4, 10, 10), dtype=torch.uint8)
    convolved = torch.nn.functional.conv2d(image / 255, convs[0].weight, convs[0].bias)
    assert torch.allclose(torso(image), convolved.clamp(min=0).flatten(1))


@given(
    channels=st.integers(1, 5),
    height=st.integers(8, 30),
    width=st.integers(8, 30),
    kernel=st.sampled_from([(2, 2), (4, 2), (4, 4), (8, 4), (8, 8)]),
)
@settings(max_examples=40)
def test_a_convolution_of_blocks_is_the_convolution(
    channels: int, height: int, width: int, kernel: tuple[int, int]
) -> None:
    """The output and the gradients are those of `nn.Conv2d`, which sees the pixels as they are."""
    convolution = BlockConv2d(channels, 3, *kernel)
    images = torch.randint(0, 256, (B, channels, height, width), dtype=torch.uint8)
    weight, bias = (tensor.detach().clone().requires_grad_() for tensor in (convolution.weight, convolution.bias))
    wanted = torch.nn.functional.conv2d(images / 255, weight, bias, kernel[1])
    found = convolution(scaled(images, kernel[1]))
    assert torch.allclose(found, wanted)
    for output in (found, wanted):
        output.square().sum().backward()
    assert torch.allclose(convolution.weight.grad, weight.grad)
    assert torch.allclose(convolution.bias.grad, bias.grad)


@pytest.mark.parametrize(("channels", "kind"), [(1, BlockConv2d), (2, BlockConv2d), (4, torch.nn.Conv2d)])
def test_few_channels_become_blocks(channels: int, kind: type[torch.nn.Module]) -> None:
    torso = Convolutional((channels, 42, 42), SMALL)
    assert type(torso.layers[0]) is kind
    plain = torch.nn.Sequential(*(torch.nn.Conv2d(c.in_channels, c.out_channels, c.kernel_size, c.stride)
                                  if isinstance(c, torch.nn.Conv2d) else c for c in torso.layers))  # fmt: skip
    plain.load_state_dict(torso.layers.state_dict())
    images = torch.randint(0, 256, (B, channels, 42, 42), dtype=torch.uint8)
    assert torch.allclose(torso(images), plain(images / 255))


@given(channels=st.integers(1, 7), height=st.integers(3, 70), width=st.integers(3, 70), axis=st.sampled_from([2, 3]))
@settings(max_examples=40)
def test_features_are_as_many_as_announced(channels: int, height: int, width: int, axis: int) -> None:
    shape = (channels, height, width)[3 - axis :]
    torso = torso_for(spaces_of(gymnasium.spaces.Box(0, 255, shape, np.uint8)), ())()
    assert torso(torch.zeros(2, *shape, dtype=torch.uint8)).shape == (2, torso.features)
    first = 16 if min(height, width) < 64 else 32
    assert torso.layers[0].out_channels == first
    assert (len(torso.layers) == 3) is (min(height, width) < 18)


def test_which_observations_are_images() -> None:
    def box(*shape: int, dtype: type = np.uint8) -> gymnasium.Space:
        return gymnasium.spaces.Box(0, 255, shape, dtype)

    assert image_shape(box(5, 6)) == (1, 5, 6)
    assert image_shape(box(4, 5, 6)) == (4, 5, 6)
    others = (box(6), box(2, 4, 5, 6), box(4, 5, 6, dtype=np.float32), gymnasium.spaces.Discrete(3))
    assert [image_shape(space) for space in others] == [None] * 4


def test_scaling_leaves_the_pixels_alone() -> None:
    image = torch.full((1, 5, 6), 255, dtype=torch.uint8)
    assert scaled(image).tolist() == [[[[pytest.approx(1.0)] * 6] * 5]]
    assert (image == 255).all()


def test_pixels_are_scaled_once_and_in_the_torso() -> None:
    torso = torso_for(image_of(42), ())()
    seen: list[torch.Tensor] = []
    torso.layers[0].register_forward_hook(lambda module, given, result: seen.append(given[0].clone()))
    torso(torch.full((1, 4, 42, 42), 255, dtype=torch.uint8))
    torso(torch.full((1, 4, 42, 42), 51, dtype=torch.uint8))
    assert [(tensor.min().item(), tensor.max().item()) for tensor in seen] == [
        (pytest.approx(1.0), pytest.approx(1.0)),
        (pytest.approx(0.2), pytest.approx(0.2)),
    ]


def test_other_observations() -> None:
    flat = torso_for(spaces_of(gymnasium.spaces.Box(-1, 1, (4,), np.float32)), (8, 5))()
    assert isinstance(flat, FullyConnected)
    assert flat(torch.zeros(2, 4)).shape == (2, 5)
    one_hot = torso_for(spaces_of(gymnasium.spaces.Discrete(4)), ())()
    assert one_hot(torch.tensor([2])).tolist() == [[0, 0, 1, 0]]
    single = torso_for(image_of(42, stack=1), ())()
    assert single(torch.zeros(2, 42, 42, dtype=torch.uint8)).shape == (2, single.features)


@pytest.mark.parametrize("shape", [(2, 2), (4, 10, 2), (4, 42, 42, 3)])
def test_images_that_no_torso_suits(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnsupportedSpace, match="at least 3 pixels"):
        torso_for(spaces_of(gymnasium.spaces.Box(0, 255, shape, np.uint8)), ())


def test_a_memory_of_bytes_is_scaled_as_images_are() -> None:
    space = gymnasium.spaces.Box(0, 255, (128,), np.uint8)
    torso = torso_for(Spaces(space, gymnasium.spaces.Discrete(2), space, 1, "zero", 1), (8,))()
    obs = torch.randint(0, 256, (5, 128), dtype=torch.uint8)
    assert torch.allclose(torso(obs), torso(obs.to(torch.get_default_dtype()) / 255))
