"""Double Q-learning against algorithm 1 of the paper, against its equation, and against Q-learning."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.testing import enforce
from framework.types import Batch, Loss, Optimizer, Policy
from plugins.double_q import DoubleQLearning, TwoTables
from plugins.tabular import Assignment, QLearning, QTable
from tests.plugins.tabular_runs import (
    GAMMA,
    NOW,
    STEPS,
    A,
    B,
    PlainRun,
    S,
    batch_of,
    batches,
    limits,
    move,
    policy_with,
    run,
    seeds_of_runs,
    settings_of_runs,
    tables,
    targets,
    values,
)


@settings_of_runs
@given(seed=seeds_of_runs, max_steps=limits)
def test_double_q_is_algorithm_1_to_the_last_bit(seed: int, max_steps: int) -> None:
    walk = PlainRun(seed, max_steps)
    coin = walk.seeds.generator("double_q")
    tables = [[[0.0] * 3 for _ in range(walk.options.states)] for _ in range(2)]
    env, episode = walk.make(), 0
    state = walk.reset(env, 0, 0)
    for t in range(STEPS):
        action = walk.act([(a + b) / 2 for a, b in zip(tables[0][state], tables[1][state], strict=True)], t)
        successor, reward, terminated, truncated, _ = env.step(action)
        first = 1 if coin.random() < 0.5 else 0
        best = tables[first][successor].index(max(tables[first][successor]))
        bootstrap = 0.0 if terminated else GAMMA * tables[1 - first][successor][best]
        move(tables[first][state], action, reward + bootstrap)
        state = int(successor)
        if terminated or truncated:
            episode += 1
            state = walk.reset(env, 0, episode)
    assert run("tabular,double_q", seed, max_steps).policy.table.tolist() == tables


def two_tables(pair: np.ndarray) -> TwoTables:
    policy = enforce(TwoTables(*pair.shape[1:], 0.0), Policy)
    policy.load_state_dict({"table": pair})
    return policy


def double(policy: TwoTables, seed: int) -> DoubleQLearning:
    return enforce(DoubleQLearning(policy, np.random.default_rng(seed)), Loss)


@given(
    pair=hnp.arrays(np.float64, (2, S, A), elements=values), batch=batches, rate=st.floats(0.01, 1), seed=seeds_of_runs
)
def test_double_q_moves_one_table_towards_the_other_tables_value(
    pair: np.ndarray, batch: Batch, rate: float, seed: int
) -> None:
    policy = two_tables(pair)
    errors = double(policy, seed)(batch, NOW)
    assert np.array_equal(policy.table, pair), "a loss changes nothing"
    enforce(Assignment(policy, rate), Optimizer).apply(batch, errors)
    coin, expected = np.random.default_rng(seed), pair.copy()
    for row in range(B):
        selects = int(coin.random() < 0.5)
        state, action, after = batch.obs[row], batch.action[row], batch.next_obs[row]
        best = pair[selects, after].tolist().index(max(pair[selects, after]))
        target = batch.reward[row] + batch.discount[row] * pair[1 - selects, after, best]
        old = expected[selects, state, action]
        expected[selects, state, action] = (1 - rate) * old + rate * target
    assert np.array_equal(policy.table, expected)


@given(table=tables, batch=batches, seed=seeds_of_runs)
def test_double_q_with_equal_tables_has_q_learnings_targets_and_actions(
    table: np.ndarray, batch: Batch, seed: int
) -> None:
    policy = two_tables(np.stack([table, table]))
    errors, plain = double(policy, seed)(batch, NOW), QLearning(policy_with(table))(batch, NOW)
    assert targets(errors) == targets(plain)
    assert np.array_equal(errors.priority, plain.priority)
    assert np.array_equal(policy.action_values(batch.obs, explore=False), table[batch.obs])


@given(pair=hnp.arrays(np.float64, (2, S, A), elements=st.integers(-9, 9).map(float)))
def test_the_greedy_action_is_that_of_the_sum(pair: np.ndarray) -> None:
    acting = two_tables(pair).action_values(np.arange(S), explore=True)
    assert np.array_equal(acting.argmax(axis=1), (pair[0] + pair[1]).argmax(axis=1))


def test_the_coin_is_fair() -> None:
    """20 000 tosses; 5 standard errors are exceeded with probability below 1e-6."""
    n = 20_000
    zeros = np.zeros(n, np.int64)
    batch = batch_of(zeros, zeros, np.zeros(n), np.zeros(n), zeros)
    selects = double(TwoTables(1, 1, 0.0), 0)(batch, NOW).update[0][0]
    assert abs(selects.mean() - 0.5) < 5 * 0.5 / math.sqrt(n)


def test_q_learning_overestimates_where_double_q_does_not() -> None:
    """400 copies of Sutton & Barto 2018, example 6.7: a step into a state whose 10 actions pay N(0, 1) and end.

    The step is worth 0. Each action is tried 10 times with α = 0.1. Double Q-learning estimates 0, because its two
    tables see different rewards. Q-learning estimates clearly more.
    """
    copies, actions = 400, 10
    rng = np.random.default_rng(0)
    lower = np.repeat(np.arange(copies), actions)
    arms = np.tile(np.arange(actions), copies)
    upper = copies + np.arange(copies)
    first = np.zeros(copies, np.int64)

    def estimates(policy: QTable | TwoTables, loss: Loss) -> np.ndarray:
        """The estimated value of one more step into the lower state, for each copy."""
        optimizer = Assignment(policy, 0.1)
        for _ in range(10):
            pulls = batch_of(lower, arms, rng.normal(size=len(arms)), np.zeros(len(arms)), lower)
            optimizer.apply(pulls, loss(pulls, NOW))
        step = batch_of(upper, first, np.zeros(copies), np.ones(copies), np.arange(copies))
        return loss(step, NOW).update[1]

    single = QTable(2 * copies, actions, 0.0)
    plain = estimates(single, QLearning(single))
    pair = TwoTables(2 * copies, actions, 0.0)
    doubled = estimates(pair, DoubleQLearning(pair, np.random.default_rng(1)))
    error = doubled.std() / math.sqrt(copies)
    assert abs(doubled.mean()) < 4 * error
    assert plain.mean() > 0.25 > 10 * error


def test_weights_of_another_size_are_refused() -> None:
    with pytest.raises(UsageError, match="the weights are not two tables of 5 states and 3 actions"):
        TwoTables(S, A, 0.0).load_state_dict({"table": np.zeros((S, A))})


def test_it_fills_the_policy_and_the_loss() -> None:
    filled = assemble("tabular,double_q,chain").filled
    assert {slot for slot, plugin in filled.items() if plugin == "double_q"} == {"make_policy", "make_loss"}
