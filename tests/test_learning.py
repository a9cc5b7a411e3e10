"""Whole agents against exact optima: every shipped composition, both tiny environments, three seeds."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from envs.chain import ChainEnv
from envs.grid import GridEnv
from framework.assembly.assemble import assemble
from framework.events import Callback, EvaluationResult
from framework.training.evaluation import evaluate
from framework.training.loop import Loop
from framework.types import Counters

GAMMA = 0.9
MODELS = {"chain": (ChainEnv(), 2), "grid": (GridEnv(), 8)}
"""The exact model of each environment, and its first state."""

PARTS = (
    "boltzmann", "c51", "double", "dueling", "ez_greedy", "iqn", "layer_norm", "munchausen", "noisy", "nstep", "online",
    "per", "polyak", "qr",
)  # fmt: skip
COMPOSITIONS: dict[str, dict[str, Any]] = {
    "tabular": {},
    **{f"tabular,{name}": {} for name in ("boltzmann", "double_q", "expected_sarsa", "ez_greedy", "sarsa", "ucb")},
    # three steps contain exploring actions, so the table must average over several visits
    "tabular,nstep": {"tabular.learning_rate": 0.2},
    "dqn": {},
    **{f"dqn,{name}": {} for name in PARTS},
    # normalised layers make larger steps: with 0.001, values stay noisier than their differences (0.07 on the grid)
    "dqn,layer_norm": {"dqn.learning_rate": 3e-4},
    "dqn,double,dueling,nstep,per,polyak,qr": {},
    "rainbow": {},
    "data_efficient": {},
    # without a replay each transition is learnt in one round only
    "pqn": {"run.steps": 20_000},
}
"""The shipped compositions, with the values that differ from the recommended ones. Networks make 5,000 steps of chain
or 10,000 of grid; tables make 100 or 500 episodes. `impala` is for images alone."""

CASES = list(product(COMPOSITIONS, MODELS, range(3)))


def check(names: str, env: str, seed: int) -> None:
    """The greedy policy's discounted return from the start is the optimal one."""
    parts = assemble(f"{names},{env}", {"run.seed": seed, **COMPOSITIONS[names]})
    Loop(parts).run()
    model, start = MODELS[env]
    best = evaluate(parts, epsilon=0.0, episodes=1)
    parts.close()
    found = GAMMA ** (best.lengths[0] - 1) * best.returns[0]
    assert math.isclose(found, model.q_star(GAMMA)[start].max()), f"{names},{env} with seed {seed}: {found}"


@settings(max_examples=6, phases=[Phase.generate], derandomize=True)
@given(case=st.sampled_from(CASES))
def test_a_sample_finds_the_optimal_policy(case: tuple[str, str, int]) -> None:
    check(*case)


@pytest.mark.slow
@pytest.mark.parametrize(("names", "env", "seed"), CASES)
def test_every_composition_finds_the_optimal_policy(names: str, env: str, seed: int) -> None:
    check(names, env, seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cartpole_is_balanced() -> None:
    parts = assemble("dqn,cartpole", {"run.until": 300.0})
    loop = Loop(parts)
    loop.run()
    assert loop.last_evaluation is not None
    assert np.mean(loop.last_evaluation.returns) >= 300


class Evaluations(Callback):
    """Records the mean of each evaluation."""

    def __init__(self) -> None:
        self.means: list[float] = []

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        self.means.append(result.mean)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("names", "wanted"),
    [("dqn,gym:CartPole-v1", 500.0), ("dqn,gym:Acrobot-v1", -85.0), ("tabular,gym:Taxi-v4", 7.0)],
)
def test_what_gym_recommends_is_learnt_and_stays_learnt(names: str, wanted: float) -> None:
    """The mean of the last three evaluations; docs/results/environments.md has five seeds of every environment."""
    evaluations = Evaluations()
    Loop(assemble(names), [evaluations]).run()
    assert np.mean(evaluations.means[-3:]) >= wanted
