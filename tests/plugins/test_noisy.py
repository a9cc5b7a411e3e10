"""Noisy layers against their equations, and their random stream."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.seeding import Seeds
from framework.training.loop import Loop
from framework.types import Counters
from plugins.dqn.sources import RandomSource
from plugins.noisy import NoisyLinear

B = 6


def layer(inputs: int, outputs: int, sigma: float, seed: int = 0) -> NoisyLinear:
    return NoisyLinear(inputs, outputs, sigma, RandomSource("test", Seeds(seed))).double()


def noise_of(count: int, seed: int = 0) -> np.ndarray:
    """f(x) = sgn(x) √|x| of the numbers that a fresh source gives."""
    x = Seeds(seed).generator("test").standard_normal(count)
    return np.sign(x) * np.sqrt(np.abs(x))


@given(inputs=st.integers(1, 7), outputs=st.integers(1, 5), sigma=st.floats(0.01, 2), seed=st.integers(0, 99))
def test_a_forward_pass_is_that_of_the_paper(inputs: int, outputs: int, sigma: float, seed: int) -> None:
    """Equations 9 to 11, element by element, with the matrix of noise written out."""
    noisy = layer(inputs, outputs, sigma, seed)
    x = torch.randn(B, inputs, dtype=torch.float64)
    found = noisy(x).detach().numpy()
    noise = noise_of(inputs + outputs, seed)
    weight, weight_sigma, bias, bias_sigma = (
        parameter.detach().numpy() for parameter in (noisy.weight, noisy.weight_sigma, noisy.bias, noisy.bias_sigma)
    )
    for row in range(B):
        for i in range(outputs):
            expected = bias[i] + bias_sigma[i] * noise[inputs + i]
            for j in range(inputs):
                expected += (weight[i, j] + weight_sigma[i, j] * noise[inputs + i] * noise[j]) * x[row, j].item()
            assert found[row, i] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_weights_start_as_the_paper_says() -> None:
    noisy = layer(100, 50, 0.5)
    assert noisy.weight.abs().max() <= 0.1
    assert noisy.weight.abs().max() > 0.09
    assert torch.allclose(noisy.weight_sigma, torch.tensor(0.05, dtype=torch.float64))
    assert torch.allclose(noisy.bias_sigma, torch.tensor(0.05, dtype=torch.float64))


def test_noise_is_fresh_in_training_and_absent_in_an_evaluation() -> None:
    noisy = layer(4, 3, 0.5)
    x = torch.randn(B, 4, dtype=torch.float64)
    assert not torch.equal(noisy(x), noisy(x))
    noisy.eval()
    mean = nn.functional.linear(x, noisy.weight, noisy.bias)
    assert torch.equal(noisy(x), mean)
    assert torch.equal(noisy(x), mean)


def test_without_sigma_it_is_a_linear_layer_that_draws_nothing() -> None:
    noisy = layer(4, 3, 0.0)
    x = torch.randn(B, 4, dtype=torch.float64)
    before = noisy.random.generator.bit_generator.state
    assert torch.equal(noisy(x), nn.functional.linear(x, noisy.weight, noisy.bias))
    assert noisy.random.generator.bit_generator.state == before


def test_a_copy_draws_from_the_same_stream() -> None:
    """A target network with a stream of its own would repeat the online network's noise."""
    noisy = layer(4, 3, 0.5)
    twin = copy.deepcopy(noisy)
    x = torch.randn(B, 4, dtype=torch.float64)
    assert twin.random is noisy.random
    assert not torch.equal(noisy(x), twin(x))


def test_gradients_reach_the_sigmas() -> None:
    noisy = layer(4, 3, 0.5)
    noisy(torch.randn(B, 4, dtype=torch.float64)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in noisy.parameters())


def trained(names: str = "dqn,noisy,dueling,chain", steps: int = 120, **values: object) -> Parts:
    parts = assemble(names, {"run.steps": steps, "learning.starts": 40, **values})
    Loop(parts).run()
    return parts


def test_only_the_stream_is_noisy_and_actions_are_greedy() -> None:
    parts = trained()
    counters = Counters(env_steps=40)
    kinds = {type(module) for module in parts.policy.online.torso.modules()}
    assert NoisyLinear not in kinds
    assert sum(isinstance(module, NoisyLinear) for module in parts.policy.online.modules()) == 4
    values = np.array([[1.0, 3.0], [5.0, 2.0]])
    assert parts.exploration.choose(values, np.arange(2), counters).tolist() == [1, 0]
    assert parts.exploration.probabilities(values, np.arange(2), counters).tolist() == [[0, 1], [1, 0]]


def test_actions_are_random_until_learning_starts() -> None:
    """So the first steps visit what a network that has learnt nothing would never try."""
    parts = trained()
    values = np.tile([9.0, 1.0, 1.0], (30_000, 1))
    before = parts.exploration.choose(values, np.zeros(30_000), Counters(env_steps=39))
    assert np.bincount(before).tolist() == pytest.approx([10_000] * 3, rel=0.05)
    assert np.allclose(parts.exploration.probabilities(values[:1], np.zeros(1), Counters(env_steps=39)), 1 / 3)
    assert not parts.exploration.choose(values, np.zeros(30_000), Counters(env_steps=40)).any()


def test_an_evaluation_is_deterministic_and_leaves_the_stream_alone() -> None:
    parts = trained()
    before = parts.policy.state_dict()["sources"]
    obs = np.arange(5)
    first = parts.policy.action_values(obs, explore=False)
    assert np.array_equal(first, parts.policy.action_values(obs, explore=False))
    assert parts.policy.state_dict()["sources"] == before
    assert not np.array_equal(
        parts.policy.action_values(obs, explore=True), parts.policy.action_values(obs, explore=True)
    )


@pytest.mark.parametrize("names", ["dqn,noisy,chain", "dqn,iqn,chain", "dqn,noisy,iqn,chain"])
def test_a_restored_policy_draws_what_the_first_would_have_drawn(names: str) -> None:
    first = trained(names)
    second = assemble(names, {"run.seed": 3})
    second.policy.load_state_dict(first.policy.state_dict())
    obs = np.arange(5)
    for _ in range(3):
        found = second.policy.action_values(obs, explore=True)
        assert np.array_equal(found, first.policy.action_values(obs, explore=True))


def test_without_noise_values_are_those_of_a_plain_network() -> None:
    """σ = 0: the values of the same weights are those of a plain network, in training and out of it."""
    parts = trained(**{"noisy.sigma": 0.0})
    obs = np.arange(5)
    assert np.array_equal(parts.policy.action_values(obs, explore=True), parts.policy.action_values(obs, explore=False))
