"""What holds for every variant of the tabular agent: `sarsa`, `expected_sarsa` and `double_q`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest

from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.types import Loss
from plugins.double_q import DoubleQLearning, TwoTables
from plugins.expected_sarsa import ExpectedSarsa
from plugins.sarsa import Sarsa
from plugins.tabular import QTable
from plugins.ucb import UCB
from tests.plugins.optima import check_the_policy_is_optimal
from tests.plugins.tabular_runs import NOW, batch_of, check_saved_parts_go_on_identically, greedy_with, targets

P = TypeVar("P", QTable, TwoTables)

LOSSES: dict[str, Callable[[np.ndarray], Loss]] = {
    "sarsa": lambda table: Sarsa(with_table(QTable(2, 2, 0.0), table), greedy_with(0.5)),
    "expected_sarsa": lambda table: ExpectedSarsa(with_table(QTable(2, 2, 0.0), table), greedy_with(0.5)),
    "double_q": lambda table: DoubleQLearning(
        with_table(TwoTables(2, 2, 0.0), np.stack([table, table])), np.random.default_rng(0)
    ),
}
"""Variant → its loss for a table of 2 states and 2 actions."""

variants = pytest.mark.parametrize("variant", LOSSES)


def with_table(policy: P, table: np.ndarray) -> P:
    policy.table[:] = table
    return policy


@variants
def test_the_successor_of_a_terminal_state_has_no_effect(variant: str) -> None:
    loss = LOSSES[variant](np.array([[0.0, 0.0], [np.nan, np.nan]]))
    batch = batch_of(np.array([0]), np.array([0]), np.array([2.0]), np.array([0.0]), np.array([1]))
    assert targets(loss(batch, NOW)) == [2.0]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (
            "dqn,sarsa,chain",
            "sarsa learns the Q-table of 'tabular', and dqn makes a DQNPolicy: replace dqn by tabular, or drop sarsa",
        ),
        ("sarsa,chain", "nothing provides make_policy or make_optimizer: add dqn or tabular"),
        (
            "dqn,expected_sarsa,chain",
            "expected_sarsa learns the Q-table of 'tabular', and dqn makes a DQNPolicy: replace dqn by tabular, "
            "or drop expected_sarsa",
        ),
        ("tabular,sarsa,expected_sarsa,chain", "expected_sarsa and sarsa both provide make_loss: keep one"),
        ("dqn,double_q,chain", "double_q extends 'tabular': add tabular"),
        ("double_q,chain", "nothing provides make_optimizer: add dqn or tabular"),
        ("tabular,sarsa,double_q,chain", "double_q and sarsa both provide make_loss: keep one"),
    ],
)
def test_what_does_not_go_together_is_named(names: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        assemble(names, {"run.steps": 1})
    assert caught.value.problems == (problem,)


@variants
def test_saved_parts_go_on_identically(variant: str) -> None:
    check_saved_parts_go_on_identically(f"tabular,{variant}")


@variants
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("env", "steps"), [("chain", 1_000), ("grid", 12_000)])
def test_it_finds_the_optimal_policy(variant: str, env: str, steps: int, seed: int) -> None:
    check_the_policy_is_optimal(f"tabular,{variant}", env, steps, seed)


@pytest.mark.parametrize(
    ("make", "tables"),
    [
        (lambda: QTable(50, 4, 0.0), 2),  # a table of values and one of counts
        (lambda: TwoTables(50, 4, 0.0), 4),
        (lambda: UCB(50, 4, 1.0), 1),
    ],
)
def test_tables_that_do_not_fit_into_memory_are_refused_to_the_byte(
    make: Callable[[], object], tables: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = tables * 50 * 4 * 8
    monkeypatch.setattr("framework.processes.limits.available_memory", lambda: needed)
    make()
    monkeypatch.setattr("framework.processes.limits.available_memory", lambda: needed - 1)
    with pytest.raises(UsageError, match=r"of 50 states.* memory are free: use an environment with fewer states"):
        make()
