"""IMPALA's residual torso against the same network, written out with functions."""

from __future__ import annotations

from unittest import mock

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from framework.assembly.assemble import assemble
from framework.config import Source, build_config
from framework.errors import UnsupportedSpace, UsageError
from framework.training.loop import Loop
from framework.types import Spaces
from plugins import impala
from plugins.impala import STAGES, Impala, MaxPoolTo


def images(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(sum(shape)).integers(0, 256, shape, np.uint8))


def reference(obs: torch.Tensor, weights: list[torch.Tensor], pool: int) -> torch.Tensor:
    """Figure 3 of the paper, with the weights and biases of its fifteen convolutions in order."""
    pairs = iter(zip(weights[::2], weights[1::2], strict=True))

    def conv(x: torch.Tensor) -> torch.Tensor:
        weight, bias = next(pairs)
        return functional.conv2d(functional.pad(x, (1, 1, 1, 1)), weight, bias)

    x = obs.to(torch.float64) / 255
    for _ in range(3):
        x = conv(x)
        edge = functional.pad(x, (1, 1, 1, 1), value=-torch.inf)
        x = edge.unfold(2, 3, 2).unfold(3, 3, 2).amax(dim=(-1, -2))
        for _ in range(2):
            x = x + conv(conv(x.clamp(min=0)).clamp(min=0))
    x = x.clamp(min=0)
    if pool:
        x = functional.adaptive_max_pool2d(x, pool)
    assert next(pairs, None) is None
    return x.flatten(1)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("shape", "width", "pool"),
    [((4, 10, 10), 1, 0), ((7, 10, 10), 2, 2), ((1, 9, 17), 1, 0), ((4, 42, 42), 1, 6), ((3, 84, 84), 1, 6)],
)
def test_it_is_the_papers_network(shape: tuple[int, int, int], width: int, pool: int) -> None:
    torso = Impala(shape, width, pool)
    obs = images(3, *shape)
    features = torso(obs)
    assert torch.allclose(features, reference(obs, list(torso.parameters()), pool), atol=1e-12)
    assert (features.std(dim=0) > 0).any(), "the images must matter"


def test_the_papers_sizes() -> None:
    """Atari: [32, 11, 11] → 3872 features and fifteen convolutions; twice the width and pooled to 6, 64 · 36."""
    torso = Impala((4, 84, 84))
    assert torso.features == 3872
    convs = [module for module in torso.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [conv.out_channels for conv in convs] == [channels for channels in STAGES for _ in range(5)]
    assert Impala((4, 84, 84), width=2, pool=6).features == 2304
    assert Impala((4, 10, 10)).features == 32 * 2 * 2


@given(
    channels=st.integers(1, 5),
    height=st.integers(1, 40),
    across=st.integers(1, 40),
    width=st.integers(1, 2),
    axis=st.booleans(),
)
@settings(max_examples=30)
def test_features_are_as_many_as_announced(channels: int, height: int, across: int, width: int, axis: bool) -> None:
    """32 · width · ⌈height / 8⌉ · ⌈across / 8⌉, with an axis for channels or without."""
    shape = (channels, height, across) if axis else (height, across)
    torso = constructor(gymnasium.spaces.Box(0, 255, shape, np.uint8), width=width)()
    features = torso(images(2, *shape))
    assert features.shape == (2, torso.features)
    assert torso.features == 32 * width * -(-height // 8) * -(-across // 8)


@pytest.mark.usefixtures("float64")
def test_an_image_without_channels_has_one() -> None:
    torso = Impala((1, 10, 10))
    obs = images(2, 10, 10)
    assert torch.equal(torso(obs), torso(obs[:, None]))


@pytest.mark.parametrize("pool", [0, 2])
def test_the_gradient_reaches_every_parameter(pool: int) -> None:
    torso = Impala((4, 10, 10), pool=pool)
    torso(images(8, 4, 10, 10)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in torso.parameters())


def test_dqn_learns_with_it() -> None:
    parts = assemble(
        "dqn,impala,minatar,framework.testing",
        {
            "run.steps": 40,
            "learning.starts": 16,
            "learning.updates_per_step": 0.5,
            "impala.width": 2,
            "impala.pool": 1,
        },
    )
    before = parts.policy.state_dict()["online"]
    Loop(parts).run()
    after = parts.policy.state_dict()["online"]
    assert parts.filled["dqn_torso"] == "impala"
    assert isinstance(parts.policy.online.torso, Impala)
    assert parts.policy.online.torso.features == 64
    assert parts.counters.updates >= 5
    assert all(not np.array_equal(before[name], after[name]) for name in before if name.startswith("torso."))
    parts.close()


def constructor(space: gymnasium.Space, **options: int):
    values = {f"impala.{key}": value for key, value in options.items()}
    config = build_config(impala.config_sections(), [Source("test", values)])
    return impala.dqn_torso(Spaces(space, gymnasium.spaces.Discrete(2), space, 1, "repeat", 1), config)


@pytest.mark.parametrize(
    "space",
    [
        gymnasium.spaces.Discrete(5),
        gymnasium.spaces.Box(-1, 1, (4,), np.float32),
        gymnasium.spaces.Box(0, 1, (4, 42, 42), np.float32),
        gymnasium.spaces.Box(0, 255, (2, 4, 42, 42), np.uint8),
        gymnasium.spaces.Box(0, 255, (42,), np.uint8),
    ],
)
def test_other_observations_are_refused(space: gymnasium.Space) -> None:
    with pytest.raises(UnsupportedSpace, match=r"needs uint8 images \[channels, height, width\] for impala$"):
        constructor(space)


@pytest.mark.parametrize(("pool", "least"), [(1, 1), (2, 9), (6, 41)])
def test_pooling_never_makes_a_map_larger(pool: int, least: int) -> None:
    def image(side: int) -> gymnasium.Space:
        return gymnasium.spaces.Box(0, 255, (4, 50, side), np.uint8)

    torso = constructor(image(least), pool=pool)()
    before_pooling = torso.layers[:-2](torch.zeros(1, 4, 50, least))
    assert before_pooling.shape[-1] == pool
    assert torso.features == 32 * pool**2
    if least > 1:
        with pytest.raises(UnsupportedSpace, match=f"at least {least} pixels a side for impala with impala.pool"):
            constructor(image(least - 1), pool=pool)


def test_the_message_names_impala_and_the_environment() -> None:
    with pytest.raises(UsageError, match=r"dqn needs uint8 images .* for impala; chain gives Discrete\(5\)"):
        assemble("dqn,impala,chain")


@given(sides=st.tuples(st.integers(3, 9), st.integers(3, 9)), to=st.integers(1, 3))
def test_pooling_by_slices_is_pooling(sides: tuple[int, int], to: int) -> None:
    """As it is exported, and as it is learnt."""
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, *sides)))
    pool = MaxPoolTo(to)
    learnt = pool(images)
    with mock.patch.object(torch.compiler, "is_compiling", return_value=True):
        assert torch.equal(pool(images), learnt)
