"""C51: its projection against the algorithm of the paper, and what it learns."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.assembly.assemble import assemble
from framework.errors import UsageError
from plugins.c51 import Categorical, CategoricalHead, project
from tests.plugins.heads import (
    check_it_composes_with_the_rest,
    check_the_successor_of_a_terminal_state_has_no_effect,
    learn_two_rewards,
)

B, A, N, M = 7, 3, 5, 11


masses = hnp.arrays(np.float64, (B, M), elements=st.floats(0.01, 1)).map(lambda x: x / x.sum(axis=1, keepdims=True))


@given(mass=masses, where=hnp.arrays(np.float64, (B, M), elements=st.floats(-4, 4) | st.integers(-3, 3).map(float)))
def test_the_projection_is_that_of_the_paper(mass: np.ndarray, where: np.ndarray) -> None:
    """Algorithm 1, step by step, also for masses on an atom (integer b)."""
    support = np.linspace(-2, 2, N)
    expected = np.zeros((B, N))
    for row in range(B):
        for p, x in zip(mass[row], where[row], strict=True):
            b = (min(max(x, -2.0), 2.0) + 2) / (support[1] - support[0])
            low, high = math.floor(b), math.ceil(b)
            if low == high:
                expected[row, low] += p
            else:
                expected[row, low] += p * (high - b)
                expected[row, high] += p * (b - low)
    found = project(torch.from_numpy(mass), torch.from_numpy(where), torch.from_numpy(support)).numpy()
    assert np.allclose(found, expected, atol=1e-12)
    assert np.allclose(found.sum(axis=1), 1)
    inside = (np.abs(where) <= 2).all(axis=1)
    assert np.allclose((found @ support)[inside], (mass * where).sum(axis=1)[inside])


def test_atoms_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(UsageError, match=r"v_min = 1\.0 must lie below v_max = -1\.0"):
        assemble("dqn,c51,chain", {"c51.v_min": 1.0, "c51.v_max": -1.0})


@pytest.mark.usefixtures("float64")
def test_the_successor_of_a_terminal_state_has_no_effect() -> None:
    check_the_successor_of_a_terminal_state_has_no_effect(CategoricalHead(5, -2.0, 2.0))


@pytest.mark.usefixtures("float64")
def test_the_priority_is_the_divergence_from_the_target() -> None:
    """Where the prediction is the target, the cross-entropy is the target's entropy, and nothing is left to learn."""
    head = CategoricalHead(5, -2.0, 2.0)
    logs = torch.log_softmax(torch.randn(2, 3, 5), dim=2)
    output = Categorical(logs, torch.zeros(2, 3))
    chosen = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    same, other = torch.tensor([0, 1]), torch.tensor([2, 2])
    loss, priority = head.loss(output, same, output, chosen, torch.zeros(2), torch.ones(2))
    assert (loss > 0.1).all()
    assert torch.allclose(priority, torch.zeros(2), atol=1e-12)
    _, priority = head.loss(output, other, output, chosen, torch.zeros(2), torch.ones(2))
    target = logs[torch.arange(2), same]
    wanted = (target.exp() * (target - logs[torch.arange(2), other])).sum(dim=1)
    assert torch.allclose(priority, wanted, atol=1e-12)


def test_they_compose_with_the_rest() -> None:
    check_it_composes_with_the_rest("c51")


def test_they_recover_a_reward_of_two_values(tmp_path: Path) -> None:
    """The distribution has a mass of a half at +1 and at −1."""
    network, output = learn_two_rewards("c51", {"c51.v_min": -2.0, "c51.v_max": 2.0}, tmp_path)
    probability = output.logs.exp()[0, 0]
    for value in (-1.0, 1.0):
        near = (network.head.support - value).abs() < 0.2
        assert abs(probability[near].sum().item() - 0.5) < 0.15
