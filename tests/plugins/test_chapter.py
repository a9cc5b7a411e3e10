"""The bundle `chapter`: every hyperparameter of the textbook's chapter, and the known outcome of its chain."""

from __future__ import annotations

import numpy as np
import pytest

from framework.assembly.assemble import assemble
from framework.training.loop import Loop


def test_the_chapters_hyperparameters_are_in_force() -> None:
    flat = assemble("chapter,pong").config.flat()
    expected = {
        "learning.batch_size": 64,
        "exploration.start": 1.0,
        "exploration.final": 0.005,
        "exploration.shape": "exponential",
        "exploration.horizon": 100_000,
        "exploration.unit": "env_steps",
        "returns.gamma": 0.99,
        "learning.starts": 10_000,
        "learning.updates_per_step": 1.0,
        "dqn.learning_rate": 1e-4,
        "dqn.loss": "squared",
        "dqn.hidden": 512,
        "replay.capacity": 20_000,
        "run.episodes": 2_000,
        "run.num_envs": 1,
        "target.every": 1_000,
        "target.unit": "env_steps",
        "pong.size": 84,
        "pong.stack": 4,
        "pong.frame_skip": 4,
        "pong.actions": "minimal",
    }
    assert {key: flat[key] for key in expected} == expected


class TestChapter:
    """Every row of the chapter's tabular table, in the run that `chapter,chain` makes."""

    def test_its_values_are_in_force(self) -> None:
        flat = assemble("chapter,chain").config.flat()
        expected = {
            "run.episodes": 100,
            "tabular.learning_rate": 1.0,
            "tabular.initial": 0.0,
            "returns.gamma": 0.9,
            "exploration.shape": "linear",
            "exploration.start": 1.0,
            "exploration.final": 0.0,
            "exploration.horizon": 100,
            "exploration.unit": "episodes",
        }
        assert {key: flat[key] for key in expected} == expected

    def test_its_table_is_five_by_two_zeros(self) -> None:
        policy = assemble("chapter,chain").policy
        assert np.array_equal(policy.table, np.zeros((5, 2)))

    @pytest.mark.parametrize("seed", range(5))
    def test_its_outcome_is_the_known_optimum(self, seed: int) -> None:
        parts = assemble("chapter,chain", {"run.seed": seed})
        Loop(parts).run()
        table = parts.policy.table
        known = {(3, 1): 2, (2, 1): 1.8, (1, 1): 1.62, (3, 0): 1.62, (2, 0): 1.458, (1, 0): -1}
        for (state, action), value in known.items():
            assert abs(table[state, action] - value) < 1e-9
        assert [parts.act(state) for state in (1, 2, 3)] == [1, 1, 1]
