"""Observations of several parts and action masks, with every family: runs are exact, and no forbidden action counts.

`Rooms` raises an error when it gets an action that its mask forbids.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import framework
from framework.assembly.assemble import assemble
from framework.recording import load_state
from framework.spaces import MASK
from framework.training.loop import Loop
from tests.framework.checkpoints.pieces import left_behind

ROOMS = "tests.stand_ins.rooms"
SMALL: dict[str, Any] = {
    "run.steps": 150,
    "run.num_envs": 2,
    "learning.starts": 20,
    "replay.capacity": 100,
    "evaluation.every": 75,
    "evaluation.episodes": 2,
    "evaluation.num_envs": 2,
}
DEEP = {**SMALL, "learning.updates_per_step": 0.5, "learning.batch_size": 8, "dqn.hidden": 8, "dqn.mlp": (8,)}
PQN = {
    **{name: value for name, value in DEEP.items() if not name.startswith(("learning.", "replay."))},
    "pqn.rollout": 8,
    "pqn.minibatches": 2,
}
TABLES = ("tabular", "tabular,nstep,sarsa", "tabular,expected_sarsa", "tabular,double_q,ucb", "tabular,boltzmann,per")
NETWORKS = (
    "dqn",
    "dqn,boltzmann,polyak,double,dueling,averaging",
    "rainbow",
    "dqn,iqn,munchausen,online,layer_norm",
    "dqn,qr,impala,packed,per",
    "pqn",
)


def values_for(names: str) -> dict[str, Any]:
    if names.startswith("tabular"):
        return {**SMALL, "rooms.parts": "finite"}
    values = PQN if names == "pqn" else DEEP
    synced = not {"polyak", "online", "pqn"} & set(names.split(","))
    return {**values, "target.every": 25} if synced else values


def trained(names: str, **values: Any) -> Any:
    parts = assemble(f"{names},{ROOMS}", {**values_for(names), **values})
    Loop(parts).run()
    parts.close()
    return parts


@pytest.mark.parametrize(
    ("names", "where"),
    [*((names, "info") for names in (*TABLES, *NETWORKS)), *itertools.product(("tabular", "dqn"), ("method", "part"))],
)
def test_no_forbidden_action_is_taken_wherever_the_mask_comes_from(names: str, where: str) -> None:
    parts = trained(names, **{"rooms.masks": where})
    assert parts.counters.updates > 0
    assert parts.spaces.frame.actions == 3


@pytest.mark.parametrize("names", ["tabular", "tabular,sarsa,boltzmann", "dqn,double", "rainbow", "pqn"])
@pytest.mark.parametrize("shown", ["finite", "one"])
def test_masks_that_allow_all_change_nothing(names: str, shown: str) -> None:
    found = []
    for masks in ("none", "all"):
        parts = trained(names, **{"rooms.masks": masks, "rooms.parts": shown})
        found.append((parts.policy.state_dict(), parts.counters.episodes, parts.exploration.state_dict()))
    assert_equal(*found)


def assert_equal(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, tuple):
        for left, right in zip(one, other, strict=True):
            assert_equal(left, right)
    else:
        assert np.array_equal(one, other)


@pytest.mark.parametrize("names", ["tabular", "dqn,per,nstep", "dqn,packed,iqn", "pqn"])
def test_a_run_in_pieces_is_the_run_in_one_piece(names: str, tmp_path: Path) -> None:
    values = {**values_for(names), "checkpoint.every": 50}
    framework.train(framework.assemble(f"{names},{ROOMS}", values), tmp_path / "whole")
    framework.train(framework.assemble(f"{names},{ROOMS}", {**values, "run.steps": 70}), tmp_path / "pieces")
    framework.resume(tmp_path / "pieces", {"run.steps": 150})
    assert left_behind(tmp_path / "pieces") == left_behind(tmp_path / "whole")
    assert load_state(tmp_path / "whole" / "last.safetensors")


def test_an_agent_acts_on_what_the_environment_shows() -> None:
    """It takes one observation or several, in the environment's own form, and gives the environment's own actions."""
    parts = trained("dqn")
    env = parts.stream.env.envs[0].unwrapped
    seen = [env.reset(seed=seed)[0] for seed in (0, 1)]
    for one in seen:
        one["camera"] = np.moveaxis(one["camera"], -1, 0)
    actions = parts.act(seen)
    assert [parts.act(one) for one in seen] == actions.tolist()
    assert all(env.action_space.contains(np.int64(action)) for action in actions)
    for only in range(3):
        mask = np.eye(3)[only]
        assert parts.act(seen[0], mask) == only - 1
        assert parts.act(seen, [mask, mask]).tolist() == [only - 1] * 2
    with pytest.raises(ValueError, match="observations are those of Dict"):
        parts.act({"place": 1})
    with pytest.raises(ValueError, match="must hold 0 or 1 for each of the 3 actions"):
        parts.act(seen[0], [1, 1])


def test_a_table_acts_on_numbers_that_do_not_start_at_0() -> None:
    parts = trained("tabular", **{"rooms.parts": "one"})
    assert parts.act(1) in (-1, 0, 1)
    assert parts.act(np.array([1, 6])).shape == (2,)
    assert parts.act(1, np.array([0, 0, 1])) == 1
    for wrong in (0, 7):
        with pytest.raises(ValueError, match="an observation is"):
            parts.act(wrong)


def test_the_replay_stores_masks_with_their_frames() -> None:
    parts = trained("dqn,nstep", **{"nstep.n": 3})
    batch = parts.buffer.sample(32, parts.counters)
    assert np.array_equal(batch.obs[MASK][:, 0], batch.obs["place"] > 0)
    going_on = batch.discount > 0
    assert np.array_equal(batch.next_obs[MASK][going_on, 0], batch.next_obs["place"][going_on] > 0)
