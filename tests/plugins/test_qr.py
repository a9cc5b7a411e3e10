"""Quantile regression: its loss in cases worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from plugins.dqn.maths import greedy
from plugins.dqn.quantiles import Quantiles
from plugins.qr import QuantileHead
from tests.plugins.heads import (
    check_it_composes_with_the_rest,
    check_quantiles_of_two_rewards,
    check_the_successor_of_a_terminal_state_has_no_effect,
    identity,
    learn_two_rewards,
)

B, A, N, M = 7, 3, 5, 11


@pytest.mark.usefixtures("float64")
def test_the_next_action_is_chosen_by_the_mean_not_per_quantile() -> None:
    """Action 0 has the larger mean; action 1 the larger upper quantile."""
    head = QuantileHead(2, 1.0)
    target = head(torch.tensor([[[1.0, 1.2], [-5.0, 5.0]]]), identity)
    choice = greedy(target.values)
    assert choice.tolist() == [[1.0, 0.0]]
    online = Quantiles(torch.tensor([[[1.0, 1.2], [0.0, 0.0]]]), torch.tensor([[0.25, 0.75]]))
    loss, _ = head.loss(online, torch.tensor([0]), target, choice, torch.zeros(1), torch.ones(1))
    # θ = (1, 1.2), τ = (¼, ¾): each of the two errors of 0.2 costs ¼ · 0.02, weighted by a half
    assert loss.item() == pytest.approx(2 * 0.25 * 0.02 / 2)


@pytest.mark.usefixtures("float64")
def test_one_quantile_and_small_errors_is_half_the_squared_loss() -> None:
    """τ = ½, κ large: ½ · u² / (2κ)."""
    head = QuantileHead(1, 100.0)
    online = head(torch.randn(B, A, 1), identity)
    target = head(torch.randn(B, A, 1), identity)
    action = torch.arange(B) % A
    loss, _ = head.loss(online, action, target, greedy(target.values), torch.zeros(B), torch.ones(B))
    error = target.values.max(dim=1).values - online.values[torch.arange(B), action]
    assert torch.allclose(loss, error**2 / 400)


@pytest.mark.usefixtures("float64")
def test_the_successor_of_a_terminal_state_has_no_effect() -> None:
    check_the_successor_of_a_terminal_state_has_no_effect(QuantileHead(5, 1.0))


def test_they_compose_with_the_rest() -> None:
    check_it_composes_with_the_rest("qr")


def test_they_recover_a_reward_of_two_values(tmp_path: Path) -> None:
    _, output = learn_two_rewards("qr", {"qr.quantiles": 11, "qr.kappa": 0.1}, tmp_path)
    check_quantiles_of_two_rewards(output)
