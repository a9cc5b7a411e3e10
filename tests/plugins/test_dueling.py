"""Dueling streams against their equation."""

from __future__ import annotations

import torch
from torch import nn

from plugins.dueling import DuelingStream

B, F, A, W = 7, 4, 3, 5


def test_the_value_is_the_mean_over_actions_whatever_the_advantages() -> None:
    """For each output of the head, the mean of Q over actions is V. Equal shifts of all advantages change nothing."""
    stream = DuelingStream(nn.Linear, F, A, W, 6).double()
    features = torch.randn(B, F, dtype=torch.float64)
    before = stream(features)
    assert before.shape == (B, A, W)
    assert torch.allclose(before.mean(dim=1), stream.value(features)[:, 0])
    last = stream.advantage.layers[-1]
    with torch.no_grad():
        last.bias.view(A, W).add_(torch.randn(W, dtype=torch.float64))
    assert torch.allclose(stream(features), before)


def test_differences_between_actions_are_those_of_the_advantages() -> None:
    stream = DuelingStream(nn.Linear, F, A, W, 0).double()
    features = torch.randn(B, F, dtype=torch.float64)
    q, advantage = stream(features), stream.advantage(features)
    assert torch.allclose(q[:, 1:] - q[:, :1], advantage[:, 1:] - advantage[:, :1])
