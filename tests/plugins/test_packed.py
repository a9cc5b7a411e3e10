"""Packed frames equal unpacked frames in arrays and in runs, and take far less memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from framework.assembly.assemble import assemble
from framework.training.loop import Loop
from plugins.packed import PackedFrames
from plugins.pong.options import PongOptions
from plugins.pong.single import pong_env


@given(data=st.data(), dtype=st.sampled_from([np.uint8, np.uint16, np.float32, np.int64]))
def test_it_is_written_and_read_as_an_array(data: st.DataObject, dtype: Any) -> None:
    shape = (7, 2, 3)
    plain, packed = np.zeros(shape, dtype), PackedFrames(shape, np.dtype(dtype))
    for _ in range(3):
        slots = np.array(data.draw(st.lists(st.integers(0, 6), max_size=5, unique=True)), np.int64)
        frames = data.draw(arrays.arrays(dtype, (len(slots), *shape[1:])))
        plain[slots], packed[slots] = frames, frames
    wanted = data.draw(arrays.arrays(np.int64, (2, 4), elements=st.integers(0, 6)))
    got = packed[wanted]
    assert got.dtype == plain.dtype
    np.testing.assert_array_equal(got, plain[wanted])
    got[...] = 1  # batches are the caller's own
    np.testing.assert_array_equal(packed.copy(), plain)


def test_a_run_is_the_same_run() -> None:
    values = {"run.steps": 300, "run.num_envs": 2, "replay.capacity": 200, "learning.starts": 20}
    weights = []
    for names in ("dqn,grid", "dqn,packed,grid"):
        parts = assemble(names, values)
        Loop(parts).run()
        online: Any = parts.policy.state_dict()["online"]
        weights.append(np.concatenate([online[name].ravel() for name in sorted(online)]))
        parts.close()
    np.testing.assert_array_equal(*weights)


@pytest.mark.parametrize(("view", "most"), [("screen", 400), ("court", 250)])
def test_frames_of_pong_take_so_many_bytes_instead_of_7056(view: Any, most: int) -> None:
    env = pong_env(PongOptions(size=84, view=view))
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    frames = np.stack([env.step(int(rng.integers(3)))[0] for _ in range(200)])
    packed = PackedFrames(frames.shape, frames.dtype)
    packed[np.arange(200)] = frames
    assert packed.nbytes / 200 < most
    np.testing.assert_array_equal(packed.copy(), frames)


def test_it_can_be_loaded() -> None:
    values = {"run.steps": 100, "replay.capacity": 60, "learning.starts": 20}
    saved, loaded = (assemble("dqn,packed,grid", {**values, "run.seed": seed}) for seed in (1, 2))
    Loop(saved).run()
    buffer, other, sampler, second = (
        *(saved.buffer, loaded.buffer),
        *(saved.sampler, loaded.sampler),
    )
    state: Any = buffer.state_dict()  # type: ignore[attr-defined]
    other.load_state_dict(state)  # type: ignore[attr-defined]
    second.load_state_dict(sampler.state_dict())  # type: ignore[union-attr]
    one, two = (each.sample(20, saved.counters) for each in (buffer, other))
    np.testing.assert_array_equal(one.obs, two.obs)
    np.testing.assert_array_equal(one.next_obs, two.next_obs)
