"""Evaluations of episodes that never end: every autoreset mode, whole results, and nothing that waits for ever."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st

import framework
from framework.environments.stream import TransitionStream

PLUGIN = '''
"""Episodes of these lengths in turn; 0 never ends. Each step pays 1."""

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from framework.hooks import hookimpl

LENGTHS, MODE = {lengths}, "{mode}"


class Walk(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(2)
    episode = -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.time = self.episode + 1, 0
        return 0, {{}}

    def step(self, action):
        self.time += 1
        return self.time % 2, 1.0, self.time == LENGTHS[self.episode % len(LENGTHS)], False, {{}}


@hookimpl
def make_env(num_envs):
    return SyncVectorEnv([Walk] * num_envs, autoreset_mode=AutoresetMode[MODE]) if MODE else Walk
'''


def result_of(tmp_path: Path, lengths: list[int], mode: str, episodes: int, num_envs: int):
    file = tmp_path / "walk.py"
    file.write_text(PLUGIN.format(lengths=lengths, mode=mode))
    values = {"evaluation.max_steps": 6, "evaluation.num_envs": num_envs, "checkpoint.every": 0}
    parts = framework.assemble(f"tabular,{file}", values)
    parts.close()
    return framework.evaluate(parts, name="test", episodes=episodes)


@pytest.mark.parametrize("mode", ["", "DISABLED", "NEXT_STEP", "SAME_STEP"])
def test_endless_episodes_are_cut_off_and_counted(mode: str, tmp_path: Path) -> None:
    result = result_of(tmp_path, [0], mode, episodes=4, num_envs=2)
    restarts = mode in ("", "DISABLED")
    assert result.lengths == (6,) * (4 if restarts else 2), "what resets itself cannot begin another episode"
    assert result.unfinished == 4
    assert result.mean == 6
    assert result.not_played == 4 - len(result.lengths)
    assert f"; {len(result.lengths)} cut off at evaluation.max_steps" in result.describe()


@pytest.mark.parametrize("mode", ["", "DISABLED", "NEXT_STEP", "SAME_STEP"])
def test_episodes_that_end_are_whole(mode: str, tmp_path: Path) -> None:
    result = result_of(tmp_path, [3, 6, 5], mode, episodes=6, num_envs=2)
    assert sorted(result.lengths) == [3, 3, 5, 5, 6, 6], "one that ends at the limit has ended"
    assert result.unfinished == 0 and "cut off" not in result.describe()


def test_an_endless_one_does_not_keep_others_from_their_games(tmp_path: Path) -> None:
    result = result_of(tmp_path, [3, 0, 2], "", episodes=6, num_envs=2)
    assert sorted(result.lengths) == [2, 2, 3, 3, 6, 6]
    assert result.unfinished == 2


class Counted(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1000, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, lengths: list[int]) -> None:
        self.lengths, self.episode = lengths, -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.time = self.episode + 1, 0
        return np.array([0], np.float32), {}

    def step(self, action):
        self.time += 1
        over = self.time == self.lengths[self.episode % len(self.lengths)]
        return np.array([self.time], np.float32), 1.0, over, False, {}


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), limit=st.integers(1, 7), steps=st.integers(1, 40))
def test_the_stream_cuts_every_episode_at_the_limit(lengths: list[int], limit: int, steps: int) -> None:
    env = SyncVectorEnv([lambda: Counted(lengths)], autoreset_mode=AutoresetMode.DISABLED)
    stream = TransitionStream(env, lambda env_id, episode: episode, limit)
    made, length, index = [], 0, 0
    for _ in range(steps):
        stream.begin(np.array([0]))
        step = stream.finish()
        length += 1
        assert step.first[0] == (length == 1)
        assert step.next_obs[0, 0] == length
        assert not step.terminated[0] or length == lengths[index % len(lengths)]
        assert stream.cut[0] == (step.truncated[0] and length == limit)
        if step.ended[0]:
            made.append(length)
            length, index = 0, index + 1
            assert stream.observations[0, 0] == 0
    stream.close()
    assert made == [min(lengths[i % len(lengths)], limit) for i in range(len(made))]
