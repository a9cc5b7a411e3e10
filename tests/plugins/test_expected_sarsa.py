"""Expected SARSA against its equation and against Q-learning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.testing import enforce
from framework.types import Batch, Loss
from plugins.expected_sarsa import ExpectedSarsa
from tests.plugins.tabular_runs import (
    NOW,
    A,
    batches,
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
