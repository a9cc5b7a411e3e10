"""DQN on the real game: runs are repeated bit for bit, record what was played, and can be loaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import framework
from framework.assembly.assemble import assemble
from framework.assembly.loading import load_plugins
from framework.assembly.parts import Parts
from framework.training.loop import Loop

SHORT = {
    "run.steps": 240,
    "run.num_envs": 3,
    "learning.starts": 60,
    "learning.updates_per_step": 0.25,
    "evaluation.every": 0,
    "dqn.threads": 1,
    "replay.capacity": 3_000,
}


def weights(parts: Parts) -> dict[str, np.ndarray]:
    return dict(parts.policy.state_dict()["online"])


@pytest.mark.parametrize("backend", ["native", "wrappers"])
def test_the_same_seed_gives_the_same_run_bit_for_bit(backend: str) -> None:
    def trained(seed: int) -> dict[str, np.ndarray]:
        parts = assemble("dqn,pong,framework.testing", {**SHORT, "run.seed": seed, "pong.backend": backend})
        Loop(parts).run()
        parts.close()
        assert parts.counters.updates == 44  # the update after the last three steps would come with the next step
        assert parts.counters.frames == 960
        return weights(parts)

    first, again, other = trained(1), trained(1), trained(2)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not all(np.array_equal(first[name], other[name]) for name in first)


def test_both_back_ends_train_the_same_agent() -> None:
    """Without no-ops, which the back ends draw differently, and within one episode, as the last frames differ."""

    def trained(backend: str) -> dict[str, np.ndarray]:
        parts = assemble("dqn,pong", {**SHORT, "pong.backend": backend, "pong.noop_max": 0})
        Loop(parts).run()
        parts.close()
        return weights(parts)

    native, wrappers = trained("native"), trained("wrappers")
    assert all(np.array_equal(native[name], wrappers[name]) for name in native)


def test_a_recorded_run_says_what_was_played_and_can_be_loaded(tmp_path: Path) -> None:
    framework.train(framework.assemble("dqn,pong", SHORT), tmp_path / "r")
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text())
    assert manifest["environment"]["repeat_action_probability"] == 0.0
    assert manifest["environment"]["frame_skip"] == 4
    assert manifest["observations"] == "2 stacked (42, 42) uint8 frames"
    assert manifest["parts"]["policy"]["threads"] == 1
    assert manifest["parts"]["buffer"]["bytes"] == 3_000 * (42 * 42 + 19)
    agent = framework.load(tmp_path / "r")
    result = framework.evaluate(agent, name="one", episodes=1)
    assert -21 <= result.mean <= 21
    assert agent.act(np.zeros((2, 42, 42), np.uint8)) in range(3)


def test_with_dqn_it_brings_parts_that_can_be_taken_out() -> None:
    assert load_plugins(["dqn", "pong"]).names == ["dqn", "pong", "nstep", "per", "mirror", "averaging"]
    assert load_plugins(["dqn", "pong", "no:nstep"]).names == ["dqn", "pong", "per", "mirror", "averaging"]
    assert load_plugins(["dqn", "pong", "no:nstep", "no:per"]).names == ["dqn", "pong", "mirror", "averaging"]
    assert load_plugins(["chapter", "pong"]).names == ["chapter", "pong", "dqn"]


def test_a_stack_that_acts_is_the_stack_that_is_sampled() -> None:
    parts = assemble("dqn,pong,no:nstep,no:per,no:mirror", {**SHORT, "run.num_envs": 2})
    seen: dict[bytes, int] = {}
    for _ in range(40):
        for stack in parts.stream.observations:
            seen[stack.tobytes()] = 1
        parts.collector.begin(parts.counters)
        step = parts.collector.finish()
        parts.buffer.add(step)
        parts.counters.advance(step)
    batch = parts.buffer.sample(80, parts.counters)
    assert len(batch) == 80
    assert all(stack.tobytes() in seen for stack in batch.obs)
    parts.close()
