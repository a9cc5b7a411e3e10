"""n-step returns against a slow reference that goes through each window step by step."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.replay.returns import NStepReturns
from framework.testing import enforce
from framework.types import Returns


def reference(
    gamma: float, rewards: list[float], terminated: list[bool], truncated: list[bool]
) -> tuple[float, float, int]:
    total, discount = 0.0, 1.0
    for length, (reward, over, cut) in enumerate(zip(rewards, terminated, truncated, strict=True), start=1):
        total += discount * reward
        discount *= gamma
        if over or cut:
            return total, 0.0 if over else discount, length
    return total, discount, len(rewards)


@given(data=st.data(), n=st.integers(1, 6), gamma=st.floats(0, 1))
def test_every_window_folds_as_if_walked(data: st.DataObject, n: int, gamma: float) -> None:
    batch = 7
    reward = data.draw(hnp.arrays(np.float64, (batch, n), elements=st.floats(-100, 100)))
    terminated = data.draw(hnp.arrays(np.bool_, (batch, n)))
    truncated = data.draw(hnp.arrays(np.bool_, (batch, n)))
    returns = enforce(NStepReturns(gamma, n), Returns)
    found = returns.fold(reward, terminated, truncated)
    for row in range(batch):
        expected = reference(gamma, reward[row].tolist(), terminated[row].tolist(), truncated[row].tolist())
        assert math.isclose(found[0][row], expected[0], rel_tol=1e-12, abs_tol=1e-9)
        assert math.isclose(found[1][row], expected[1], rel_tol=1e-12, abs_tol=1e-300)
        assert found[2][row] == expected[2]


def test_rewards_after_an_end_have_no_effect() -> None:
    reward = np.array([[1.0, 2.0, np.nan, np.inf]])
    total, discount, length = NStepReturns(0.5, 4).fold(
        reward, np.array([[False, False, True, True]]), np.array([[False, True, False, False]])
    )
    assert (total[0], discount[0], length[0]) == (2.0, 0.25, 2)


def test_one_step_is_q_learnings_target() -> None:
    total, discount, length = NStepReturns(0.9).fold(np.array([[3.0]]), np.array([[False]]), np.array([[True]]))
    assert (total[0], discount[0], length[0]) == (3.0, 0.9, 1)
