"""Whole agents against exact optima, over several seeds: minutes, so not in the ordinary suite."""

from __future__ import annotations

import numpy as np
import pytest

from envs.chain import ChainEnv
from envs.grid import GridEnv
from framework.assembly import assemble
from framework.evaluation import evaluate
from framework.loop import Loop

VARIANTS = ["dqn", *(f"dqn,{name}" for name in ("double", "dueling", "nstep", "per", "polyak", "online", "c51", "qr"))]
VARIANTS.append("dqn,double,dueling,nstep,per,polyak,qr")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("names", VARIANTS)
@pytest.mark.parametrize(("env", "model"), [("chain", ChainEnv()), ("grid", GridEnv())], ids=["chain", "grid"])
def test_every_variant_finds_the_optimal_policy(names: str, env: str, model: ChainEnv | GridEnv, seed: int) -> None:
    """The greedy policy's discounted return from the start is the optimal one."""
    parts = assemble(f"{names},{env}", {"run.seed": seed})
    Loop(parts).run()
    exact = model.q_star(0.9)
    best = evaluate(parts, epsilon=0.0, episodes=3)
    start = 2 if env == "chain" else 8
    steps, gamma = best.lengths[0], 0.9
    assert gamma ** (steps - 1) * best.returns[0] == pytest.approx(exact[start].max())
    parts.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cartpole_is_balanced() -> None:
    parts = assemble(
        "dqn,gym:CartPole-v1",
        {"run.steps": 30_000, "learning.updates_per_step": 0.5, "exploration.horizon": 5_000, "run.until": 300.0},
    )
    loop = Loop(parts)
    loop.run()
    assert loop.last_evaluation is not None
    assert np.mean(loop.last_evaluation.returns) >= 300
