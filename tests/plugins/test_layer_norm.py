"""Layer normalisation: where its layers are, and that they normalise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from framework.assembly.assemble import assemble
from framework.training.loop import Loop
from plugins.impala import Impala
from plugins.layer_norm import normalised


def kinds(module: nn.Module) -> list[str]:
    return [type(part).__name__ for part in module.modules() if not list(part.children())]


def test_it_stands_between_each_layer_and_its_activation() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 2))
    assert kinds(normalised(network)) == [
        "Conv2d", "GroupNorm", "ReLU", "Flatten", "Linear", "LayerNorm", "ReLU", "Linear",
    ]  # fmt: skip


def test_units_have_mean_0_and_variance_1() -> None:
    conv = normalised(nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU()))[:2]
    linear = normalised(nn.Sequential(nn.Linear(6, 9), nn.ReLU()))[:2]
    for layers, x in ((conv, torch.randn(3, 2, 8, 8) * 7 + 5), (linear, torch.randn(3, 6) * 7 + 5)):
        units = layers(x).flatten(1)
        assert torch.allclose(units.mean(dim=1), torch.zeros(3), atol=1e-5)
        assert torch.allclose(units.var(dim=1, unbiased=False), torch.ones(3), atol=1e-2)


@pytest.mark.parametrize("names", ["dqn", "dqn,dueling", "dqn,noisy", "dqn,dueling,noisy", "dqn,iqn"])
def test_it_finds_the_layers_of_every_composition(names: str) -> None:
    parts = assemble(f"{names},layer_norm,gym:CartPole-v1", {"run.steps": 80, "learning.starts": 40})
    streams = 2 if "dueling" in names else 1
    # one layer of the torso, one of each stream and the embedding of iqn have an activation
    assert kinds(parts.policy.online).count("LayerNorm") == 1 + streams + ("iqn" in names)
    Loop(parts).run()
    assert np.isfinite(parts.policy.action_values(np.zeros((2, 4), np.float32), explore=False)).all()
    state = parts.policy.state_dict()
    parts.policy.load_state_dict(state)


def test_it_normalises_the_residual_network_and_the_embedding_of_levels() -> None:
    """One for each stage and each residual block; the output of a block is a sum, which nothing normalises."""
    parts = assemble("dqn,impala,layer_norm,minatar")
    assert kinds(parts.policy.online.torso).count("GroupNorm") == 3 * (1 + 2)
    parts.close()
    parts = assemble("dqn,iqn,layer_norm,chain")
    assert kinds(parts.policy.online.head) == ["Linear", "LayerNorm", "ReLU"]
    parts.close()


@pytest.mark.usefixtures("float64")
def test_every_convolution_of_the_residual_network_sees_the_same_scale() -> None:
    """Ten times larger weights in each layer that is normalised change nothing."""
    torch.manual_seed(0)
    torso = normalised(Impala((4, 20, 20))).double()
    obs = torch.randint(0, 256, (3, 4, 20, 20), dtype=torch.uint8)
    before = torso(obs)
    for part in torso.modules():
        layers = list(part) if isinstance(part, nn.Sequential) else []
        for layer, following in pairwise(layers):
            if isinstance(following, nn.GroupNorm):
                layer.weight.data *= 10
                layer.bias.data *= 10
    assert torch.allclose(torso(obs), before, atol=1e-3)
