"""The precision of layers follows from what the processor declares, and results are close to float32."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from framework.assembly.assemble import assemble
from framework.environments.frames import stacked_space
from framework.types import Spaces
from plugins.dqn.head import ScalarHead
from plugins.dqn.networks import ActionStream, QNetwork, torso_for
from plugins.dqn.precision import computing

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def images(side: int) -> Spaces:
    frame = gymnasium.spaces.Box(0, 255, (side, side), np.uint8)
    return Spaces(stacked_space(frame, 4), gymnasium.spaces.Discrete(3), frame, 4, "repeat", 1)


FLAT = Spaces(gymnasium.spaces.Discrete(5), gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(5), 1, "zero", 1)


@pytest.mark.parametrize(
    ("precision", "device", "spaces", "declared", "wanted"),
    [
        ("auto", CPU, images(42), {"avx512_bf16": True}, torch.bfloat16),
        ("auto", CPU, images(42), {"amx_bf16": True}, torch.bfloat16),
        ("auto", CPU, images(42), {"avx512_bf16": False, "avx2": True}, None),
        ("auto", CPU, images(42), {}, None),
        ("auto", CPU, images(10), {"avx512_bf16": True}, None),
        ("auto", CPU, FLAT, {"avx512_bf16": True}, None),
        ("auto", CUDA, images(42), {"avx512_bf16": True}, None),
        ("float32", CPU, images(84), {"avx512_bf16": True}, None),
        ("bfloat16", CPU, FLAT, {}, torch.bfloat16),
        ("bfloat16", CUDA, images(84), {}, torch.bfloat16),
    ],
)
def test_it_follows_from_the_observations_and_what_the_processor_declares(
    precision: Any, device: torch.device, spaces: Spaces, declared: dict[str, bool], wanted: torch.dtype | None
) -> None:
    assert computing(precision, device, spaces, declared) is wanted


@pytest.mark.usefixtures("float64")
def test_exact_references_stay_exact() -> None:
    assert computing("auto", CPU, images(84), {"avx512_bf16": True}) is None


@pytest.mark.parametrize("side", [42, 84])
def test_values_and_gradients_are_those_of_float32_up_to_rounding(side: int) -> None:
    """bfloat16 has 8 bits of mantissa, a relative error of 2⁻⁹ a number; weights and gradients stay float32."""
    torch.manual_seed(0)
    torso = torso_for(images(side), ())()
    stream, head = ActionStream(torch.nn.Linear, torso.features, 3, 1, 64), ScalarHead("huber")
    obs = torch.randint(0, 256, (16, 4, side, side), dtype=torch.uint8)
    found = []
    for dtype in (None, torch.bfloat16):
        network = QNetwork(torso, stream, head, dtype)
        network.zero_grad()
        values = network(obs).values
        assert values.dtype == torch.float32
        values.square().sum().backward()
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        assert {gradient.dtype for gradient in gradients} == {torch.float32}
        found.append((values.detach(), torch.cat([gradient.flatten() for gradient in gradients])))
    (exact, slope), (rounded, rounded_slope) = found
    assert not torch.equal(exact, rounded), "or nothing was computed in bfloat16"
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.02)
    similarity = torch.nn.functional.cosine_similarity(slope, rounded_slope, dim=0)
    assert similarity > 0.99


def test_the_manifest_says_what_was_computed_in() -> None:
    for precision, wanted in (("float32", "torch.float32"), ("bfloat16", "torch.bfloat16")):
        parts = assemble("dqn,chain", {"dqn.precision": precision})
        policy: Any = parts.policy
        assert policy.manifest()["computing"] == wanted
        parts.close()


@pytest.mark.parametrize("names", ["dqn", "dqn,dueling", "dqn,noisy", "dqn,layer_norm"])
def test_action_values_have_the_digits_of_float32(names: str) -> None:
    """Values near 20 of an untrained network: of bfloat16 there are 8 in each unit, and about a fifth would be ties."""
    parts = assemble(f"{names},minatar", {"dqn.precision": "bfloat16"})
    policy: Any = parts.policy
    with torch.no_grad():
        for name, parameter in policy.online.named_parameters():
            if name.startswith("stream") and name.endswith("bias"):
                parameter.add_(20.0 / len(list(policy.online.stream.children())))
    obs = np.random.default_rng(0).integers(0, 2, (256, *parts.spaces.observation.shape), np.uint8) * 255
    values = np.sort(policy.action_values(obs, explore=False), axis=1)
    ties = (values[:, -1] == values[:, -2]).mean()
    in_bfloat16 = torch.from_numpy(values).bfloat16().float().numpy()
    assert ties < 0.01
    assert (values != in_bfloat16).mean() > 0.9
    parts.close()
