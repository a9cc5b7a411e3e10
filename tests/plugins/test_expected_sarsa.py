"""Expected SARSA against its equation and against Q-learning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.testing import enforce
from framework.types import Batch, Loss
from plugins.expected_sarsa import ExpectedSarsa
from plugins.tabular import QTable
from tests.plugins.optima import check_the_policy_is_optimal
from tests.plugins.tabular_runs import (
    NOW,
    A,
    batch_of,
    batches,
    check_saved_parts_go_on_identically,
    greedy_with,
    limits,
    policy_with,
    run,
    seeds_of_runs,
    settings_of_runs,
    tables,
    targets,
)


@settings_of_runs
@given(seed=seeds_of_runs, max_steps=limits, num_envs=st.integers(1, 3))
def test_expected_sarsa_without_exploration_is_q_learning(seed: int, max_steps: int, num_envs: int) -> None:
    greedy = {"exploration.start": 0.0, "exploration.final": 0.0}
    expected, plain = (
        run(names, seed, max_steps, num_envs, **greedy) for names in ("tabular,expected_sarsa", "tabular")
    )
    assert np.array_equal(expected.policy.table, plain.policy.table)


@given(table=tables, batch=batches, epsilon=st.floats(0, 1))
def test_expected_sarsa_is_its_equation(table: np.ndarray, batch: Batch, epsilon: float) -> None:
    errors = enforce(ExpectedSarsa(policy_with(table), greedy_with(epsilon)), Loss)(batch, NOW)
    for row, found in enumerate(targets(errors)):
        after = table[batch.next_obs[row]].tolist()
        best = after.index(max(after))
        mean = sum((epsilon / A + (1 - epsilon) * (a == best)) * value for a, value in enumerate(after))
        assert found == pytest.approx(batch.reward[row] + batch.discount[row] * mean, rel=1e-12, abs=1e-9)
        error = found - table[batch.obs[row], batch.action[row]]
        assert (errors.loss[row], errors.priority[row]) == (error * error, abs(error))


def test_the_successor_of_a_terminal_state_has_no_effect() -> None:
    policy = QTable(2, 2, 0.0)
    policy.table[1] = np.nan
    batch = batch_of(np.array([0]), np.array([0]), np.array([2.0]), np.array([0.0]), np.array([1]))
    assert targets(ExpectedSarsa(policy, greedy_with(0.5))(batch, NOW)) == [2.0]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (
            "dqn,expected_sarsa,chain",
            "expected_sarsa learns the Q-table of 'tabular', and dqn makes a DQNPolicy: replace dqn by tabular, "
            "or drop expected_sarsa",
        ),
        ("tabular,sarsa,expected_sarsa,chain", "expected_sarsa and sarsa both provide make_loss: keep one"),
    ],
)
def test_what_does_not_go_together_is_named(names: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        assemble(names, {"run.steps": 1})
    assert caught.value.problems == (problem,)


def test_saved_parts_go_on_identically() -> None:
    check_saved_parts_go_on_identically("tabular,expected_sarsa")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("env", "steps"), [("chain", 1_000), ("grid", 12_000)])
def test_it_finds_the_optimal_policy(env: str, steps: int, seed: int) -> None:
    check_the_policy_is_optimal("tabular,expected_sarsa", env, steps, seed)
