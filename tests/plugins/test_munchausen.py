"""Munchausen DQN against the paper's equation, written out in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.assembly.assemble import assemble
from framework.config import Config
from framework.errors import UsageError
from framework.training.loop import Loop
from framework.types import Counters
from plugins.dqn.head import ScalarHead, Values
from plugins.munchausen import MunchausenOptions, dqn_bonus, dqn_bootstrap, scaled_log_policy

B, A = 5, 3
values = hnp.arrays(np.float64, (B, A), elements=st.floats(-30, 30))


class OneSection:
    """A configuration with one section."""

    def __init__(self, section: MunchausenOptions) -> None:
        self.section = section

    def __getitem__(self, kind: type) -> MunchausenOptions:
        return self.section


def target_of(options: MunchausenOptions, before, after, action, reward, discount) -> torch.Tensor:
    """The absolute target: the priority of a network whose action values are all 0."""
    config: Config = OneSection(options)  # type: ignore[assignment]
    tensors = [torch.from_numpy(array) for array in (before, after, action, reward, discount)]
    now, nxt = Values(tensors[0]), Values(tensors[1])
    bonus = dqn_bonus(config)(lambda: now, tensors[2], nxt, tensors[4])
    policy = dqn_bootstrap(config)(nxt, lambda: nxt)
    nothing = Values(torch.zeros(B, A, dtype=torch.float64))
    _, distance = ScalarHead("squared").loss(nothing, tensors[2], nxt, policy, tensors[3] + bonus, tensors[4])
    return distance


def log_softmax(row: np.ndarray, temperature: float) -> list[float]:
    """ln π of each action, computed stably."""
    top = max(row)
    total = math.fsum(math.exp((x - top) / temperature) for x in row)
    return [(x - top) / temperature - math.log(total) for x in row]


@given(
    before=values,
    after=values,
    action=hnp.arrays(np.int64, B, elements=st.integers(0, A - 1)),
    reward=hnp.arrays(np.float64, B, elements=st.floats(-5, 5)),
    discount=hnp.arrays(np.float64, B, elements=st.sampled_from([0.0, 0.9, 0.99])),
    alpha=st.floats(0, 0.99),
    temperature=st.floats(0.01, 10),
    lowest=st.floats(-5, 0),
)
def test_the_target_is_that_of_the_paper(before, after, action, reward, discount, alpha, temperature, lowest) -> None:
    options = MunchausenOptions(alpha=alpha, temperature=temperature, lowest=lowest)
    found = target_of(options, before, after, action, reward, discount).numpy()
    for row in range(B):
        bonus = temperature * log_softmax(before[row], temperature)[action[row]]
        logs = log_softmax(after[row], temperature)
        soft = sum(math.exp(log) * (q - temperature * log) for log, q in zip(logs, after[row], strict=True))
        expected = reward[row] + alpha * min(max(bonus, lowest), 0.0) + discount[row] * soft
        assert found[row] == pytest.approx(abs(expected), rel=1e-9, abs=1e-9)


@given(after=values, before=values)
def test_without_bonus_and_nearly_greedy_it_is_q_learning(before: np.ndarray, after: np.ndarray) -> None:
    options = MunchausenOptions(alpha=0.0, temperature=1e-9)
    rows = np.arange(B)
    found = target_of(options, before, after, rows % A, rows * 1.0, np.full(B, 0.9)).numpy()
    assert np.allclose(found, np.abs(rows + 0.9 * after.max(axis=1)), atol=1e-7)


def test_the_log_policy_is_exact_where_a_naive_one_overflows() -> None:
    found = scaled_log_policy(torch.tensor([[1e6, 0.0, -1e6]], dtype=torch.float64), 0.01)
    assert found.tolist() == [[0.0, -1e6, -2e6]]


def test_the_successor_of_a_terminal_state_has_no_effect() -> None:
    options = MunchausenOptions()
    zeros, rows = np.zeros((B, A)), np.arange(B)
    found = target_of(options, zeros, np.full((B, A), np.nan), rows % A, rows * 1.0, np.zeros(B))
    assert torch.isfinite(found).all()


def test_returns_of_several_steps_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"munchausen needs one-step returns, and these returns span 3 steps: drop munchausen"
    ):
        assemble("dqn,munchausen,nstep,chain")
    assemble("dqn,munchausen,nstep,chain", {"nstep.n": 1}).close()


def test_a_second_bootstrap_is_refused() -> None:
    with pytest.raises(UsageError, match="double and munchausen both provide dqn_bootstrap: keep one"):
        assemble("dqn,munchausen,double,chain")


@pytest.mark.parametrize("head", ["c51", "qr", "iqn"])
def test_it_composes_with_every_head(head: str) -> None:
    parts = assemble(f"dqn,munchausen,{head},per,noisy,dueling,chain", {"run.steps": 160, "learning.starts": 40})
    Loop(parts).run()
    batch = parts.buffer.sample(8, Counters())
    assert np.isfinite(parts.loss(batch, Counters()).loss).all()
