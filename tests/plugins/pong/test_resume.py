"""A resumed game goes on frame by frame. Its seeds and actions are saved, and not the emulator."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import framework
from framework.environments.stream import TransitionStream, vectorise
from plugins.pong.native import NativePong
from plugins.pong.options import PongOptions
from plugins.pong.single import pong_env
from tests.framework.checkpoints.pieces import left_behind

VALUES: dict[str, Any] = {
    "run.num_envs": 3,
    "pong.size": 36,
    "pong.max_frames": 240,
    "replay.capacity": 300,
    "learning.starts": 40,
    "learning.batch_size": 4,
    "learning.updates_per_step": 0.1,
    "dqn.hidden": 8,
    "dqn.threads": 1,
    "target.every": 50,
    "evaluation.every": 0,
    "checkpoint.every": 100,
}


def opened(backend: str, sticky: float, noop_max: int, max_frames: int) -> TransitionStream:
    options = PongOptions(backend=backend, sticky=sticky, noop_max=noop_max, size=42, max_frames=max_frames)
    env = NativePong(options, 3) if backend == "native" else vectorise(partial(pong_env, options), 3)
    return TransitionStream(env, lambda env_id, episode: 100 * env_id + episode + 7)


def steps(stream: TransitionStream, actions: np.ndarray) -> list[Any]:
    found = []
    for row in actions:
        stream.begin(row)
        found.append((stream.finish(), stream.observations))
    return found


@pytest.mark.parametrize(
    ("backend", "sticky", "noop_max", "max_frames", "before"),
    [
        ("native", 0.25, 30, 108_000, 1_150),
        ("native", 0.0, 0, 108_000, 900),
        ("native", 0.0, 30, 40, 255),  # the 26th game, of which the 1st and the 21st had a seed
        ("wrappers", 0.25, 30, 108_000, 40),
    ],
)
def test_the_frames_after_a_restore_are_those_that_would_have_come(
    backend: str, sticky: float, noop_max: int, max_frames: int, before: int
) -> None:
    """Games end at different times, but the native back end always steps all of them."""
    actions = np.random.default_rng(0).integers(0, 3, (before + 150, 3))
    one, other = (opened(backend, sticky, noop_max, max_frames) for _ in range(2))
    steps(one, actions[:before])
    saved = one.state_dict()
    if before > 1_000:
        assert len(set(saved["environments"]["start"].tolist())) == 3, "episodes should have begun at different steps"
    other.load_state_dict(saved)
    for (wanted, seen), (got, shown) in zip(steps(one, actions[before:]), steps(other, actions[before:]), strict=True):
        assert np.array_equal(seen, shown)
        for name, value in vars(wanted).items():
            assert np.array_equal(value, vars(got)[name]), name
    one.close()
    other.close()


@pytest.mark.parametrize(
    ("names", "backend"), [("dqn,pong", "native"), ("dqn,packed,pong", "wrappers"), ("rainbow,pong", "native")]
)
def test_a_run_in_pieces_is_the_run_in_one(names: str, backend: str, tmp_path: Path) -> None:
    values = {**VALUES, "pong.backend": backend, "pong.sticky": 0.25}
    framework.train(framework.assemble(names, {**values, "run.steps": 450}), tmp_path / "one")
    framework.train(framework.assemble(names, {**values, "run.steps": 129}), tmp_path / "pieces")
    for end in (300, 450):
        framework.resume(tmp_path / "pieces", {"run.steps": end})
    rows = left_behind(tmp_path / "one")["rows"]
    assert sum(row["kind"] == "episode" for row in rows) >= 6
    assert left_behind(tmp_path / "pieces") == left_behind(tmp_path / "one")


def test_a_run_in_pieces_is_the_run_in_one_in_the_middle_of_an_overlapped_round(tmp_path: Path) -> None:
    """Rollouts of 96 steps, so that the run ends and is saved within rounds of 8 updates."""
    of_dqn = ("replay.capacity", "learning.starts", "learning.batch_size", "learning.updates_per_step", "target.every")
    kept = {path: value for path, value in VALUES.items() if path not in of_dqn}
    values = {**kept, "pong.sticky": 0.25, "pqn.epochs": 2, "pqn.minibatches": 4}
    framework.train(framework.assemble("pong", {**values, "run.steps": 450}), tmp_path / "one")
    framework.train(framework.assemble("pong", {**values, "run.steps": 129}), tmp_path / "pieces")
    for end in (300, 450):
        framework.resume(tmp_path / "pieces", {"run.steps": end})
    assert left_behind(tmp_path / "pieces") == left_behind(tmp_path / "one")
