"""Normalised observations: the statistics are those of all observations, shared, saved, and frozen in evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

import framework
from framework.assembly.assemble import assemble
from framework.environments.stream import TransitionStream, vectorise
from framework.errors import UsageError
from framework.training.evaluation import evaluate
from framework.training.loop import Loop
from plugins.normalise import SMALLEST, Normalised
from tests.framework.checkpoints.pieces import left_behind

ROOMS = "tests.stand_ins.rooms"
VALUES: dict[str, Any] = {"run.steps": 200, "run.num_envs": 2, "dqn.hidden": 8, "learning.starts": 50}


class Same(nn.Module):
    features = 3

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        return obs


@given(
    batches=st.lists(
        hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(3)), elements=st.floats(-100, 100, width=32)),
        min_size=1,
        max_size=5,
    )
)
def test_the_statistics_are_those_of_all_observations(batches: list[np.ndarray]) -> None:
    module = Normalised(Same(), "observation", (3,), 5.0)
    for batch in batches:
        module.observe(batch)
    every = np.concatenate(batches).astype(np.float64)
    variance = every.var(axis=0) if len(every) > 1 else np.ones(3)
    assert int(module.count) == len(every)
    np.testing.assert_allclose(module.mean, every.mean(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(module.variance, variance, rtol=1e-7, atol=1e-7)
    wanted = np.clip((every - module.mean.numpy()) / np.sqrt(module.variance.numpy() + SMALLEST), -5, 5)
    np.testing.assert_allclose(module(torch.from_numpy(np.concatenate(batches))), wanted, rtol=1e-5, atol=1e-5)


def modules_of(parts: Any) -> list[Normalised]:
    learner = getattr(parts.policy, "learner", parts.policy)
    networks = (learner.online, learner.target)
    return [module for network in networks for module in network.modules() if isinstance(module, Normalised)]


@pytest.mark.parametrize("names", ["dqn,normalise", "dqn,normalise,averaging,polyak", "pqn,normalise"])
def test_each_observation_of_training_counts_once_in_both_networks(names: str) -> None:
    values = {name: value for name, value in VALUES.items() if not (name == "learning.starts" and "pqn" in names)}
    parts = assemble(f"{names},cartpole", {**values, "evaluation.every": 0})
    Loop(parts).run()
    online, target = modules_of(parts)
    assert int(online.count) == int(target.count) == 200
    assert torch.equal(online.mean, target.mean) and torch.equal(online.variance, target.variance)
    before = online.mean.clone()
    evaluate(parts, episodes=3)
    assert torch.equal(online.mean, before) and int(online.count) == 200
    parts.close()


def test_leaves_have_statistics_of_their_own_and_images_none() -> None:
    parts = assemble(f"dqn,normalise,{ROOMS}", VALUES)
    Loop(parts).run()
    assert [module.leaf for module in modules_of(parts)] == ["x", "x"]
    assert modules_of(parts)[0].mean.shape == ()
    parts.close()


def test_it_says_so_where_nothing_can_be_normalised() -> None:
    with pytest.raises(UsageError, match=r"normalise.* no part of the observations is a Box of numbers"):
        assemble("dqn,normalise,chain", VALUES)


def test_a_run_in_pieces_is_the_run_in_one_piece(tmp_path: Path) -> None:
    names = f"dqn,normalise,{ROOMS}"
    framework.train(framework.assemble(names, {**VALUES, "checkpoint.every": 60}), tmp_path / "whole")
    pieces = {**VALUES, "checkpoint.every": 60, "run.steps": 120}
    framework.train(framework.assemble(names, pieces), tmp_path / "pieces")
    framework.resume(tmp_path / "pieces", {"run.steps": 200})
    assert left_behind(tmp_path / "pieces") == left_behind(tmp_path / "whole")


@pytest.mark.parametrize(
    ("wrapper", "instead"),
    [
        (gymnasium.wrappers.NormalizeObservation, "add the plugin normalise"),
        (gymnasium.wrappers.NormalizeReward, "reward_scale"),
    ],
)
def test_wrappers_with_statistics_of_their_own_are_refused(wrapper: Any, instead: str) -> None:
    def make() -> Any:
        return gymnasium.wrappers.TimeLimit(wrapper(gymnasium.make("CartPole-v1")), 50)

    with pytest.raises(UsageError, match=f"wrapped in gymnasium's {wrapper.__name__}.*{instead}"):
        vectorise(make, 1)


def test_so_are_those_of_vector_environments() -> None:
    env = gymnasium.wrappers.vector.NormalizeObservation(gymnasium.make_vec("CartPole-v1", 2))
    with pytest.raises(UsageError, match="NormalizeObservation"):
        TransitionStream(env, lambda env_id, episode: 0)
    env.close()
