"""A mirrored buffer against the same buffer without a mirror: each transition is itself or its mirror image."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.assembly.assemble import assemble
from framework.assembly.loading import load_plugins
from framework.environments.frames import stacked_space
from framework.environments.stream import TransitionStream
from framework.errors import UsageError
from framework.replay.lanes import FrameReplay
from framework.replay.returns import NStepReturns
from framework.replay.samplers import UniformSampler
from framework.testing import enforce
from framework.training.loop import Loop
from framework.types import Buffer, Counters, Mirror, Segmented, Spaces, Step
from plugins.mirror.buffer import SegmentedMirroredBuffer

FRAME = gymnasium.spaces.Box(0, 255, (3, 5), np.uint8)
MIRROR = Mirror(-2, (0, 2, 1))


def replay(stack: int = 2) -> FrameReplay:
    spaces = Spaces(stacked_space(FRAME, stack), gymnasium.spaces.Discrete(3), FRAME, stack, "zero", 2, MIRROR)
    return FrameReplay(spaces, 80, UniformSampler(np.random.default_rng(3)), NStepReturns(0.5, 2))


def fill(*buffers: Buffer) -> None:
    """Add the same 30 random steps of two environments to each buffer."""
    rng = np.random.default_rng(4)
    frames = rng.integers(256, size=(31, 2, 3, 5), dtype=np.uint8)
    for time in range(30):
        step = Step(
            env_id=np.arange(2),
            first=np.full(2, time % 7 == 0),
            obs=frames[time],
            action=rng.integers(3, size=2),
            reward=rng.normal(size=2),
            raw_reward=np.zeros(2),
            terminated=np.full(2, time % 7 == 6),
            truncated=np.zeros(2, np.bool_),
            next_obs=frames[time + 1],
        )
        for buffer in buffers:
            buffer.add(step)


@given(seed=st.integers(0, 2**31), stack=st.integers(1, 3), n=st.integers(1, 20))
def test_each_row_is_the_transition_or_its_mirror_image_whole(seed: int, stack: int, n: int) -> None:
    plain, mirrored = (
        replay(stack),
        enforce(SegmentedMirroredBuffer(replay(stack), MIRROR, np.random.default_rng(seed)), Buffer),
    )
    fill(plain, mirrored)
    wanted, got = plain.sample(n, Counters()), mirrored.sample(n, Counters())
    turned = np.random.default_rng(seed).random(len(wanted)) < 0.5
    for name in ("ids", "reward", "discount", "weights"):
        np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name))
    for name in ("obs", "next_obs"):
        for row, is_turned in enumerate(turned):
            seen = getattr(wanted, name)[row]
            np.testing.assert_array_equal(getattr(got, name)[row], seen[..., ::-1, :] if is_turned else seen)
    exchange = {0: 0, 1: 2, 2: 1, -1: -1}
    for name in ("action", "next_action"):
        actions = getattr(wanted, name).tolist()
        assert getattr(got, name).tolist() == [
            exchange[action] if is_turned else action for action, is_turned in zip(actions, turned, strict=True)
        ]


def test_stored_frames_are_never_mirrored() -> None:
    plain, mirrored = replay(), SegmentedMirroredBuffer(replay(), MIRROR, np.random.default_rng(0))
    fill(plain, mirrored)
    for _ in range(5):
        batch = mirrored.sample(20, Counters())
        assert batch.next_obs is batch.next_obs
    state: Any = mirrored.state_dict()["buffer"]
    np.testing.assert_array_equal(state["frames"], plain.state_dict()["frames"])
    np.testing.assert_array_equal(state["action"], plain.state_dict()["action"])


@pytest.mark.parametrize("in_segments", [False, True])
def test_a_loaded_buffer_mirrors_the_same_rows(in_segments: bool) -> None:
    first, second = (SegmentedMirroredBuffer(replay(), MIRROR, np.random.default_rng(seed)) for seed in (1, 2))
    fill(first, second)
    first.sample(5, Counters())
    second.sample(5, Counters())
    if in_segments:
        state, segments = first.cut()
        second.join(state, [read() for read in segments.values()])
    else:
        second.load_state_dict(first.state_dict())
    one, other = first.sample(20, Counters()), second.sample(20, Counters())
    np.testing.assert_array_equal(one.obs, other.obs)
    np.testing.assert_array_equal(one.action, other.action)


class Corridor(gymnasium.Env[np.ndarray, int]):
    """A walk from the middle of five places. Either end pays 1, and the mirror exchanges left and right."""

    observation_space = gymnasium.spaces.Box(0, 1, (5,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    metadata: ClassVar[dict[str, Any]] = {"mirror": {"axis": -1, "actions": [1, 0]}}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.place = 2
        return self.seen(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.place += 1 if action else -1
        over = self.place in (0, 4)
        return self.seen(), float(over), over, False, {}

    def seen(self) -> np.ndarray:
        return np.eye(5, dtype=np.float32)[self.place]


@pytest.fixture
def corridor(tmp_path: Path) -> str:
    """A plugin file with the environment."""
    file = tmp_path / "corridor.py"
    lines = ["from framework.hooks import hookimpl", f"from {__name__} import Corridor"]
    file.write_text("\n".join([*lines, "@hookimpl", "def make_env():", "    return Corridor", ""]))
    return str(file)


@pytest.mark.parametrize(
    ("names", "segmented", "values"),
    [
        ("dqn", True, {"learning.starts": 20}),
        ("dqn,packed,nstep,per", True, {"learning.starts": 20}),
        ("pqn", False, {"pqn.rollout": 8}),
    ],
)
def test_it_decorates_any_buffer(names: str, segmented: bool, values: dict[str, Any], corridor: str) -> None:
    given = {"run.num_envs": 2, "run.steps": 60, **values}
    with_mirror, without = (assemble(f"{names}{more},{corridor}", given) for more in (",mirror", ""))
    for parts in (with_mirror, without):
        Loop(parts).run()
    assert isinstance(with_mirror.buffer, Segmented) is segmented
    assert with_mirror.buffer.manifest()["mirrored"] is True  # type: ignore[attr-defined]
    state: Any = with_mirror.policy.state_dict()
    with pytest.raises(AssertionError):
        np.testing.assert_equal(state["online"], without.policy.state_dict()["online"])


def test_it_is_refused_where_no_mirror_is_declared() -> None:
    with pytest.raises(UsageError, match=r"mirror has no effect: the environment declares no mirror. Drop mirror"):
        assemble("dqn,mirror,chain")


def test_pong_brings_it_in_and_it_can_be_taken_out() -> None:
    pytest.importorskip("ale_py")
    cases = (
        ("dqn,pong", True),
        ("dqn,no:mirror,pong", False),
        ("chapter,pong", False),
        ("pong", True),
        ("pqn,pong", True),
    )
    for names, wanted in cases:
        values = {} if "pqn" in load_plugins(names.split(",")).names else {"replay.capacity": 500}
        parts = assemble(names, {"run.num_envs": 1, **values})
        parts.close()
        assert ("mirrored" in parts.buffer.manifest()) is wanted  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "declared",
    [{"axis": -3, "actions": [0, 1]}, {"axis": 0, "actions": [0, 1]}, {"axis": -1, "actions": [0, 0]}, {"axis": -1}, 7],
)
def test_an_invalid_mirror_is_refused(declared: Any) -> None:
    env: Any = gymnasium.make_vec("CartPole-v1", 1)
    env.metadata = {**env.metadata, "mirror": declared}
    with pytest.raises(UsageError, match=r"mirror = .* is not supported"):
        TransitionStream(env, lambda env_id, episode: 0)
    env.metadata["mirror"] = {"axis": -1, "actions": [1, 0]}
    assert TransitionStream(env, lambda env_id, episode: 0).spaces.mirror == Mirror(-1, (1, 0))
