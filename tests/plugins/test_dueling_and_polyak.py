"""Dueling streams and soft targets, by their equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.training.loop import Loop
from framework.types import Counters
from plugins.dueling import DuelingStream
from plugins.polyak import SoftSync

B, F, A, W = 7, 4, 3, 5


def test_the_value_is_the_mean_over_actions_whatever_the_advantages() -> None:
    """The mean over actions of Q is V, for each output of the head: so a shifted advantage changes nothing."""
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


def test_a_soft_target_moves_once_an_update() -> None:
    class Moves:
        def __init__(self) -> None:
            self.fractions: list[float] = []

        def update_target(self, fraction: float) -> None:
            self.fractions.append(fraction)

    policy = Moves()
    sync = SoftSync(policy, 0.25)
    counters = Counters()
    for _ in range(5):
        counters.env_steps += 3
        sync.tick(counters)
        counters.updates += 1
        sync.tick(counters)
        sync.tick(counters)
    assert policy.fractions == [0.25] * 5


def test_tau_one_is_a_copy_after_each_update() -> None:
    parts = assemble("dqn,polyak,chain", {"run.steps": 60, "learning.starts": 20, "polyak.tau": 1.0})
    Loop(parts).run()
    state = parts.policy.state_dict()
    assert parts.counters.updates > 5
    assert all(np.array_equal(state["online"][name], state["target"][name]) for name in state["online"])


def test_online_keeps_no_older_network() -> None:
    parts = assemble("dqn,online,chain", {"run.steps": 60, "learning.starts": 20})
    Loop(parts).run()
    state = parts.policy.state_dict()
    assert parts.counters.updates > 5
    assert all(np.array_equal(state["online"][name], state["target"][name]) for name in state["online"])


@pytest.mark.parametrize("name", ["polyak", "online"])
def test_a_policy_without_a_target_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} needs a policy with a target network; QTable has none"):
        assemble(f"tabular,{name},chain")
