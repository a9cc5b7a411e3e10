"""Agents on the two tiny environments, whose optimal policies are known."""

from __future__ import annotations

import pytest

from envs.chain import ChainEnv
from envs.grid import GridEnv
from framework.assembly.assemble import assemble
from framework.training.evaluation import evaluate
from framework.training.loop import Loop

MODELS = {"chain": (ChainEnv(), 2), "grid": (GridEnv(), 8)}
"""The exact model of each environment, and its first state."""


def check_the_policy_is_optimal(plugins: str, env: str, steps: int, seed: int) -> None:
    """Train with every option at its default, for the environment's own number of episodes and at most `steps` steps.

    The greedy policy must then earn the optimal discounted return.
    """
    parts = assemble(f"{plugins},{env}", {"run.seed": seed})
    Loop(parts).run()
    assert parts.counters.env_steps <= steps
    model, start = MODELS[env]
    best = evaluate(parts, epsilon=0.0, episodes=1)
    assert 0.9 ** (best.lengths[0] - 1) * best.returns[0] == pytest.approx(model.q_star(0.9)[start].max())
