"""Return distributions: probabilities that sum to 1, whose mean is the action value of the weights that play."""

from __future__ import annotations

import numpy as np
import pytest

from framework.assembly.assemble import assemble
from framework.training.loop import Loop
from framework.types import Distributional


@pytest.mark.parametrize("more", ["", ",averaging", ",dueling,noisy"])
@pytest.mark.parametrize("head", ["c51", "qr", "iqn"])
def test_the_mean_of_the_distribution_is_the_action_value(head: str, more: str) -> None:
    parts = assemble(f"dqn,{head},chain{more}", {"run.steps": 100, "learning.starts": 20})
    Loop(parts).run()
    policy, obs = parts.policy, np.arange(5)
    assert isinstance(policy, Distributional)
    found = policy.return_distribution(obs)
    assert found is not None
    returns, chances = found
    assert returns.shape == chances.shape == (5, 2, returns.shape[2])
    assert np.allclose(chances.sum(axis=2), 1, atol=1e-5) and (chances >= 0).all()
    assert np.allclose((returns * chances).sum(axis=2), policy.action_values(obs, explore=False), atol=1e-4)
    parts.close()


def test_a_head_with_values_alone_has_no_distribution() -> None:
    parts = assemble("dqn,chain")
    assert parts.policy.return_distribution(np.arange(5)) is None
    parts.close()
    parts = assemble("tabular,chain")
    assert not isinstance(parts.policy, Distributional)
    parts.close()
