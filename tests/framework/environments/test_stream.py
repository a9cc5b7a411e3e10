"""The stream gives true transitions: three autoreset modes, each against a plain loop over single environments."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.conformance.fixtures.environments.extremes import Lives
from framework.environments.stream import TransitionStream, vectorise

MODES = [AutoresetMode.DISABLED, AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]


class ScriptedEnv(gymnasium.Env[np.ndarray, int]):
    """Episodes of scripted lengths and ends. An observation is (episode, step); a reward also holds the action.

    Unless `careful`, every observation is the same internal array, as in many environments.
    """

    observation_space = gymnasium.spaces.Box(0, 1_000, (2,), np.int64)
    action_space = gymnasium.spaces.Discrete(5)

    def __init__(
        self, script: list[tuple[int, bool, bool]], metadata: dict[str, Any] | None = None, careful: bool = False
    ) -> None:
        self.script, self.careful = script, careful
        self.metadata = {**gymnasium.Env.metadata, **(metadata or {})}
        self.episode = -1
        self.array = np.zeros(2, np.int64)
        self.seeds: list[int | None] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        self.seeds.append(seed)
        self.episode += 1
        self.array[:] = self.episode, 0
        return self.shown(), {}

    def shown(self) -> np.ndarray:
        return self.array.copy() if self.careful else self.array

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        length, terminated, truncated = self.script[self.episode % len(self.script)]
        self.array[1] += 1
        last = bool(self.array[1] >= length)
        reward = 100.0 * self.episode + self.array[1] + action / 10
        return self.shown(), reward, last and terminated, last and truncated, {}


def plain_loop(script: list[tuple[int, bool, bool]], actions: list[int]) -> list[tuple[Any, ...]]:
    """The transitions of one environment, reset by hand."""
    env = ScriptedEnv(script)
    obs, first, found = env.reset()[0].copy(), True, []
    for action in actions:
        after, reward, terminated, truncated, _ = env.step(action)
        found.append((first, obs.tolist(), action, reward, terminated, truncated, after.tolist()))
        obs, first = after.copy(), terminated or truncated
        if first:
            obs = env.reset()[0].copy()
    return found


ends = st.sampled_from([(True, False), (False, True), (True, True)])
scripts = st.lists(st.tuples(st.integers(1, 4), ends).map(lambda x: (x[0], *x[1])), min_size=1, max_size=4)


@given(data=st.data(), mode=st.sampled_from(MODES), several=st.lists(scripts, min_size=1, max_size=3))
@settings(max_examples=150)
def test_every_mode_gives_the_transitions_of_a_plain_loop(
    data: st.DataObject, mode: AutoresetMode, several: list[list[tuple[int, bool, bool]]]
) -> None:
    n = len(several)
    # under SAME_STEP gymnasium keeps a reference to the last observation, which a reset must not overwrite
    careful = mode is AutoresetMode.SAME_STEP
    env = SyncVectorEnv([lambda s=script: ScriptedEnv(s, careful=careful) for script in several], autoreset_mode=mode)
    stream = TransitionStream(env, lambda env_id, episode: env_id)
    found: list[list[tuple[Any, ...]]] = [[] for _ in range(n)]
    for _ in range(12):
        actions = np.array(data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)), np.int64)
        stream.begin(actions)
        step = stream.finish()
        assert np.array_equal(step.reward, step.raw_reward)
        if mode is not AutoresetMode.NEXT_STEP:
            assert len(step) == n
        for row, env_id in enumerate(step.env_id):
            found[env_id].append(
                (
                    bool(step.first[row]),
                    step.obs[row].tolist(),
                    int(step.action[row]),
                    float(step.reward[row]),
                    bool(step.terminated[row]),
                    bool(step.truncated[row]),
                    step.next_obs[row].tolist(),
                )
            )
    for script, transitions in zip(several, found, strict=True):
        actions = [transition[2] for transition in transitions]
        assert transitions == plain_loop(script, actions)


def test_disabled_mode_seeds_every_episode_of_every_environment_by_itself() -> None:
    envs = [ScriptedEnv([(2, True, False)]), ScriptedEnv([(3, False, True)])]
    env = SyncVectorEnv([lambda e=e: e for e in envs], autoreset_mode=AutoresetMode.DISABLED)
    stream = TransitionStream(env, lambda env_id, episode: 1_000 * env_id + episode)
    for _ in range(6):
        stream.begin(np.zeros(2, np.int64))
        stream.finish()
    assert envs[0].seeds == [0, 1, 2, 3]
    assert envs[1].seeds == [1000, 1001, 1002]


@pytest.mark.parametrize("mode", MODES)
def test_rewards_are_clipped_for_the_learner_alone(mode: AutoresetMode) -> None:
    def make() -> ScriptedEnv:
        return ScriptedEnv([(9, True, False)], {"reward_clip": (-1.0, 1.0), "frame_skip": 4})

    stream = TransitionStream(SyncVectorEnv([make], autoreset_mode=mode), lambda env_id, episode: 0)
    stream.begin(np.array([3]))
    step = stream.finish()
    assert step.reward.tolist() == [1.0]
    assert step.raw_reward.tolist() == [1.3]
    assert step.frames == 4


def test_what_the_stream_gave_is_not_changed_by_later_steps() -> None:
    stream = TransitionStream(
        SyncVectorEnv([lambda: ScriptedEnv([(3, True, False)])], copy=False), lambda env_id, episode: 0
    )
    seen = stream.observations
    stream.begin(np.array([0]))
    step = stream.finish()
    kept = seen.copy(), step.obs.copy(), step.next_obs.copy()
    for _ in range(4):
        stream.begin(np.array([1]))
        stream.finish()
    assert np.array_equal(seen, kept[0])
    assert np.array_equal(step.obs, kept[1])
    assert np.array_equal(step.next_obs, kept[2])


def test_stacks_are_declared_by_the_environment() -> None:
    def make() -> ScriptedEnv:
        return ScriptedEnv([(9, True, False)], {"frame_stack": 3, "stack_padding": "zero"})

    env = SyncVectorEnv([make])
    stream = TransitionStream(env, lambda env_id, episode: 0)
    assert stream.spaces.observation.shape == (3, 2)
    stream.begin(np.array([0]))
    stream.finish()
    assert stream.observations[0].tolist() == [[0, 0], [0, 0], [0, 1]]


def test_asynchronous_environments_step_between_begin_and_finish() -> None:
    env = gymnasium.vector.AsyncVectorEnv(
        [lambda: ScriptedEnv([(2, True, False)])] * 2, autoreset_mode=AutoresetMode.DISABLED
    )
    stream = TransitionStream(env, lambda env_id, episode: 0)
    try:
        for _ in range(4):
            stream.begin(np.array([0, 1]))
            with pytest.raises(gymnasium.error.AlreadyPendingCallError):
                env.step_async(np.array([0, 0]))
            assert len(stream.finish()) == 2
    finally:
        stream.close()


def test_lost_lives_are_told_from_processes_of_their_own_as_from_this_one() -> None:
    streams = [
        TransitionStream(vectorise(Lives, 2, processes), lambda env_id, episode: 0) for processes in (False, True)
    ]
    for _ in range(12):
        for stream in streams:
            stream.begin(np.zeros(2, np.int64))
        one, other = (stream.finish() for stream in streams)
        for name in ("terminated", "first", "over", "life_lost", "next_obs"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for stream in streams:
        stream.close()
