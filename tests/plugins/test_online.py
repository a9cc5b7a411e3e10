"""No target network: the online network makes the targets."""

from __future__ import annotations

import numpy as np
import pytest

from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.training.loop import Loop


def test_online_keeps_no_older_network() -> None:
    parts = assemble("dqn,online,chain", {"run.steps": 60, "learning.starts": 20})
    Loop(parts).run()
    state = parts.policy.state_dict()
    assert parts.counters.updates > 5
    assert all(np.array_equal(state["online"][name], state["target"][name]) for name in state["online"])


def test_a_policy_without_a_target_is_refused() -> None:
    with pytest.raises(UsageError, match="online needs a policy with a target network; QTable has none"):
        assemble("tabular,online,chain")
