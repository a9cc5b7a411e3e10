"""Implicit quantiles against a slow reference."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from framework.seeding import Seeds
from plugins.dqn.maths import greedy
from plugins.dqn.networks import ActionStream
from plugins.dqn.quantiles import Quantiles
from plugins.dqn.sources import RandomSource
from plugins.iqn import ImplicitQuantileHead, IQNOptions
from plugins.qr import QuantileHead
from tests.plugins.heads import check_it_composes_with_the_rest, check_quantiles_of_two_rewards, learn_two_rewards

B, F, A = 4, 5, 3


def head(**options: float) -> ImplicitQuantileHead:
    return ImplicitQuantileHead(F, IQNOptions(**options), RandomSource("iqn", Seeds(0))).double()


def stream(hidden: int = 6) -> ActionStream:
    return ActionStream(nn.Linear, F, A, 1, hidden).double()


@given(
    samples=st.integers(1, 5), cosines=st.integers(1, 9), training=st.booleans(), seed=st.integers(0, 9), data=st.data()
)
def test_the_quantiles_are_those_of_equation_4(samples, cosines, training, seed, data) -> None:
    made = head(samples=samples, even=samples + 1, cosines=cosines).train(training)
    top = stream()
    features = torch.from_numpy(np.random.default_rng(seed).normal(size=(B, F)))
    output = made(features, top)
    count = samples if training else samples + 1
    assert output.quantiles.shape == (B, A, count)
    assert output.levels.shape == (B, count)
    weight, bias = (parameter.detach().numpy() for parameter in (made.embedding[0].weight, made.embedding[0].bias))
    row, column = data.draw(st.integers(0, B - 1)), data.draw(st.integers(0, count - 1))
    level = output.levels[row, column].item()
    product = np.zeros(F)
    for j in range(F):
        phi = sum(math.cos(math.pi * i * level) * weight[j, i] for i in range(cosines)) + bias[j]
        product[j] = features[row, j].item() * max(phi, 0.0)
    expected = top(torch.from_numpy(product)[None])[0, :, 0]
    assert torch.allclose(output.quantiles[row, :, column], expected, atol=1e-12)
    assert training or torch.equal(output.values, output.quantiles.mean(dim=2))


def test_levels_are_random_for_each_row_in_training_and_even_otherwise() -> None:
    made, top = head(samples=7, even=4), stream()
    features = torch.randn(B, F, dtype=torch.float64)
    first, second = made(features, top).levels, made(features, top).levels
    assert ((first >= 0) & (first < 1)).all()
    assert len(torch.unique(torch.cat([first, second]))) == 2 * B * 7
    made.eval()
    even = torch.tensor([[0.125, 0.375, 0.625, 0.875]] * B, dtype=torch.float64)
    assert torch.equal(made(features, top).levels, even)


@pytest.mark.parametrize("policy_samples", [1, 8, 32])
def test_action_values_are_means_over_as_many_levels_as_the_option_says(policy_samples: int) -> None:
    """Each row has the same features, so the values vary as means of that many samples do: σ² / K."""
    made = head(samples=1, policy_samples=policy_samples)
    output = made(torch.ones(20_000, F, dtype=torch.float64), stream())
    ratio = output.quantiles[:, :, 0].var(dim=0) / output.values.var(dim=0)
    assert torch.allclose(ratio, torch.full((A,), float(policy_samples), dtype=torch.float64), rtol=0.1)


def test_the_maximum_over_fair_gambles_is_no_gain() -> None:
    """Two actions, a certain 0 and a fair ±1: a target that selects and evaluates with one sample gains by choosing."""
    made = head(samples=8, policy_samples=8)

    def two_actions(rows: Tensor) -> Tensor:
        gamble = torch.where(rows[:, :1] < 0.5, -1.0, 1.0)
        return torch.stack([torch.zeros_like(gamble), gamble], dim=1)

    made.embedding = nn.Identity()
    made._options = IQNOptions(samples=8, policy_samples=8, cosines=2)
    rows = 20_000
    features = torch.ones(rows, 2, dtype=torch.float64)

    def through_levels(given: Tensor) -> Tensor:
        # the second cosine is cos(π τ), which falls from 1 to −1: positive for the lower half of the levels
        return two_actions((given[:, 1:] < 0).to(given))

    output = made(features, through_levels)
    chosen = greedy(output.values)
    target = (chosen[:, :, None] * output.quantiles).sum(dim=1).mean()
    assert abs(target.item()) < 0.01
    shared = (greedy(output.quantiles.mean(dim=2))[:, :, None] * output.quantiles).sum(dim=1).mean()
    assert shared.item() > 0.1


def test_with_the_levels_of_qr_the_loss_is_that_of_qr() -> None:
    n = 6
    fixed = QuantileHead(n, 1.0).double()
    online, target = torch.randn(2, B, A, n, dtype=torch.float64)
    action, reward = torch.arange(B) % A, torch.randn(B, dtype=torch.float64)
    discount = torch.tensor([0.9, 0.0, 0.5, 1.0], dtype=torch.float64)
    levels = fixed.levels[None]
    arguments = (
        action,
        Quantiles(target, levels),
        greedy(target.mean(dim=2)),
        reward,
        discount,
    )
    expected, _ = fixed.loss(Quantiles(online, levels), *arguments)
    found, priority = head().loss(Quantiles(online, levels.expand(B, n)), *arguments)
    assert torch.allclose(found, expected)
    assert torch.equal(found, priority)


def test_the_loss_weighs_each_quantile_by_its_own_level() -> None:
    """Rows of different levels: |τ − 1{u<0}| by hand, errors of ±2 with κ = 1 cost 1.5."""
    online = Quantiles(torch.zeros(2, 1, 2), torch.tensor([[0.1, 0.6], [0.3, 0.9]]))
    target = Quantiles(torch.full((2, 1, 1), 2.0), torch.tensor([[0.5]]))
    loss, _ = head().loss(
        online, torch.zeros(2, dtype=torch.int64), target, torch.ones(2, 1), torch.zeros(2), torch.ones(2)
    )
    assert loss.tolist() == pytest.approx([1.5 * 0.7, 1.5 * 1.2])
    below = Quantiles(torch.full((2, 1, 1), -2.0), torch.tensor([[0.5]]))
    loss, _ = head().loss(
        online, torch.zeros(2, dtype=torch.int64), below, torch.ones(2, 1), torch.zeros(2), torch.ones(2)
    )
    assert loss.tolist() == pytest.approx([1.5 * 1.3, 1.5 * 0.8])


def test_they_compose_with_the_rest() -> None:
    check_it_composes_with_the_rest("iqn")


def test_they_recover_a_reward_of_two_values(tmp_path: Path) -> None:
    _, output = learn_two_rewards("iqn", {"iqn.kappa": 0.1}, tmp_path)
    check_quantiles_of_two_rewards(output)
