"""Compositions that must be the same agent: the same action values after a run with the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from framework.assembly.assemble import assemble
from framework.training.loop import Loop

BASE = {"run.steps": 150, "learning.starts": 40, "dqn.hidden": 16}
GREEDY = {"exploration.start": 0.0, "exploration.final": 0.0}

EXACT: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "one step is n steps with n = 1": ("dqn,nstep", {"nstep.n": 1}, "dqn", {}),
    "no target network is a soft one with τ = 1": ("dqn,polyak", {"polyak.tau": 1.0}, "dqn,online", {}),
    "double is single where both networks are equal": ("dqn,double,online", {}, "dqn,online", {}),
    "a table learns one step with n = 1": ("tabular,nstep", {"nstep.n": 1}, "tabular", {}),
}
CLOSE: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    # until learning starts, noisy acts at random
    "layers without noise are linear": (
        "dqn,noisy",
        {"noisy.sigma": 0.0, "learning.starts": 0},
        "dqn",
        {**GREEDY, "learning.starts": 0},
    ),
    "without its bonus and nearly greedy, munchausen is dqn": (
        "dqn,munchausen",
        {"munchausen.alpha": 0.0, "munchausen.temperature": 1e-7},
        "dqn",
        {},
    ),
}


def values_after(names: str, values: dict[str, Any]) -> np.ndarray:
    own = {path: value for path, value in BASE.items() if "dqn" in names or not path.startswith("dqn")}
    parts = assemble(f"{names},grid", {**own, **values})
    states = np.arange(parts.spaces.observation.n)
    before = parts.policy.action_values(states, explore=False).copy()
    Loop(parts).run()
    parts.close()
    after = parts.policy.action_values(states, explore=False)
    assert not np.array_equal(before, after) or "tabular" in names
    return after


@pytest.mark.parametrize("identity", EXACT)
def test_the_same_to_the_last_bit(identity: str) -> None:
    names, values, other, other_values = EXACT[identity]
    assert np.array_equal(values_after(names, values), values_after(other, other_values))


@pytest.mark.parametrize("identity", CLOSE)
def test_the_same_but_for_rounding(identity: str) -> None:
    names, values, other, other_values = CLOSE[identity]
    assert np.allclose(values_after(names, values), values_after(other, other_values), atol=1e-4)
