"""A replay in segments: a segment never changes, and the joined segments are the whole replay."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.replay import lanes
from framework.replay.lanes import FrameReplay
from framework.replay.returns import NStepReturns
from framework.replay.samplers import UniformSampler
from framework.types import Segmented, Spaces, Step


def replay(num_envs: int, capacity: int) -> FrameReplay:
    space = gymnasium.spaces.Box(0, 2**31 - 1, (1,), np.int64)
    spaces = Spaces(space, gymnasium.spaces.Discrete(2), space, 1, "repeat", num_envs)
    return FrameReplay(spaces, capacity, UniformSampler(np.random.default_rng(0)), NStepReturns(0.9))


class Feeder:
    """Adds numbered frames to some of the lanes at a time, and now and then begins an episode."""

    def __init__(self, seed: int, num_envs: int) -> None:
        self.generator = np.random.default_rng(seed)
        self.first = np.ones(num_envs, np.bool_)
        self.frame = 0

    def feed(self, buffer: FrameReplay, steps: int) -> None:
        for _ in range(steps):
            rows = np.flatnonzero(self.generator.random(len(self.first)) < 0.8)
            ended = self.generator.random(len(rows)) < 0.2
            obs = self.frame + np.arange(2 * len(rows)).reshape(2, -1, 1)
            self.frame += obs.size
            zeros = np.zeros(len(rows))
            buffer.add(Step(rows, self.first[rows], obs[0], rows, zeros, zeros, ended, ~ended & False, obs[1]))
            self.first[rows] = ended


def assert_same(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert np.array_equal(value, other[name]), name


@given(
    seed=st.integers(0, 2**32),
    num_envs=st.integers(1, 3),
    length=st.integers(4, 20),
    pauses=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    most=st.integers(1, 12),
)
@settings(max_examples=150)
def test_segments_written_once_hold_every_frame(
    seed: int, num_envs: int, length: int, pauses: list[int], most: int
) -> None:
    """A writer that reads each segment only once has the whole replay after each cut."""
    buffer, feeder = replay(num_envs, num_envs * length), Feeder(seed, num_envs)
    kept: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "SEGMENT_BYTES", 8 * num_envs * most)
        for pause in pauses:
            feeder.feed(buffer, pause)
            state, segments = buffer.cut()
            written = {name: kept[name] if name in kept else read() for name, read in segments.items()}
            for name, segment in written.items():
                assert len(segment["frames"]) == segment["count"].sum() <= most * num_envs, name
            kept = written
            other = replay(num_envs, num_envs * length)
            other.join(state, iter(written.values()))
            assert_same(other.state_dict(), buffer.state_dict())
            again, names = other.cut()
            assert_same(again, state)
            assert list(names) == list(segments)


def test_a_state_that_was_loaded_whole_is_cut_anew() -> None:
    one, other, feeder = replay(2, 20), replay(2, 20), Feeder(0, 2)
    feeder.feed(one, 30)
    one.cut()
    other.load_state_dict(one.state_dict())
    state, segments = other.cut()
    third = replay(2, 20)
    third.join(state, [read() for read in segments.values()])
    assert_same(third.state_dict(), one.state_dict())


def test_only_what_is_new_is_written() -> None:
    buffer, feeder = replay(1, 1_000), Feeder(0, 1)
    feeder.feed(buffer, 500)
    _, before = buffer.cut()
    feeder.feed(buffer, 10)
    _, after = buffer.cut()
    assert list(after)[:-1] == list(before)
    assert len(after[list(after)[-1]]()["frames"]) < 25


def test_the_replay_is_segmented() -> None:
    assert isinstance(replay(1, 10), Segmented)
