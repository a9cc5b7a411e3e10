"""The shared types: how the counters of a run advance."""

from __future__ import annotations

import numpy as np

from framework.types import Counters, Step


def test_counters_advance_by_rows_frames_and_ends() -> None:
    counters = Counters()
    counters.advance(
        Step(
            env_id=np.arange(3),
            first=np.zeros(3, np.bool_),
            obs=np.zeros((3, 1)),
            action=np.zeros(3, np.int64),
            reward=np.zeros(3),
            raw_reward=np.zeros(3),
            terminated=np.array([True, False, False]),
            truncated=np.array([True, True, False]),
            next_obs=np.zeros((3, 1)),
            frames=4,
        )
    )
    assert counters == Counters(env_steps=3, frames=12, updates=0, episodes=2)
