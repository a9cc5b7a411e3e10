"""A restored stream repeats the running episodes from their seeds and actions, and goes on from there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.environments.stream import TransitionStream, vectorise
from framework.errors import FrameworkError, UsageError


class Walk(gymnasium.Env[np.ndarray, int]):
    """A random walk: each step, reward and end depends on the episode's seed and on all actions so far."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self, mean_length: float, stack: int = 1) -> None:
        self.mean_length = mean_length
        self.metadata = {**gymnasium.Env.metadata, "frame_stack": stack}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.array = self.np_random.random(2)
        return self.array, {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.array += self.np_random.random(2) * (action + 1)
        ends = bool(self.np_random.random() < 1 / self.mean_length)
        return self.array, float(self.array[0]), ends, False, {}


class Forgetful(Walk):
    """Ignores the seed of a new episode, and draws on from the stream of the episode before."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        if not hasattr(self, "array"):
            return super().reset(seed=seed)
        self.array = self.np_random.random(2)
        return self.array, {}


class SlowToSeed(Walk):
    """Draws the starts of episodes from one generator and what happens in them from another, made anew each time.

    So an episode depends on the last seed and on how many episodes have begun since, and not on what was played.
    """

    def __init__(self, mean_length: float, stack: int = 1, per_seed: int = 3) -> None:
        super().__init__(mean_length, stack)
        self.metadata["episodes_per_seed"] = per_seed
        self.given: list[int | None] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        self.given.append(seed)
        if seed is not None:
            self.starts = np.random.default_rng(seed)
        return super().reset(seed=int(self.starts.integers(2**31)), options=options)


class NotAsDeclared(Walk):
    """Says that a seed is enough for several episodes, and draws starts from the generator of what is played."""

    def __init__(self, mean_length: float, stack: int = 1) -> None:
        super().__init__(mean_length, stack)
        self.metadata["episodes_per_seed"] = 1_000


class Countdown(VectorEnv[np.ndarray, np.ndarray, Any]):
    """Resets itself, and has a state of its own for checkpoints."""

    def __init__(self) -> None:
        self.num_envs = 2
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space = gymnasium.spaces.Discrete(10)
        self.single_action_space = gymnasium.spaces.Discrete(2)
        self.left = np.array([3, 5])

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        self.left = np.array([3, 5])
        return self.left.copy(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        self.left = np.where(self.left == 0, [3, 5], self.left - 1)
        return self.left.copy(), actions.astype(float), self.left == 0, np.zeros(2, np.bool_), {}

    def state_dict(self) -> dict[str, Any]:
        return {"left": self.left.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.left = state["left"].copy()


def play(stream: TransitionStream, actions: list[list[int]]) -> list[Any]:
    found = []
    for row in actions:
        seen = stream.observations.tolist()
        stream.begin(np.array(row, np.int64))
        step = stream.finish()
        found.append((seen, [np.asarray(value).tolist() for value in vars(step).values()]))
    return found


def opened(mean_lengths: list[float], stack: int, kind: Callable[[float, int], Walk] = Walk) -> TransitionStream:
    env = SyncVectorEnv([lambda m=m: kind(m, stack) for m in mean_lengths], autoreset_mode=AutoresetMode.DISABLED)
    return TransitionStream(env, lambda env_id, episode: 1_000 * env_id + episode)


@given(
    data=st.data(),
    mean_lengths=st.lists(st.sampled_from([1.0, 2.0, 7.0, 1e9]), min_size=1, max_size=4),
    before=st.integers(0, 150),
    stack=st.integers(1, 3),
    per_seed=st.integers(1, 5),
)
@settings(max_examples=60)
def test_a_stream_goes_on_where_it_was(
    data: st.DataObject, mean_lengths: list[float], before: int, stack: int, per_seed: int
) -> None:
    """For episodes of any length, however many begin with one seed, and again for a stream that was restored itself."""
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    rows = generator.integers(0, 3, (before + 40, len(mean_lengths))).tolist()
    kind = partial(SlowToSeed, per_seed=per_seed)
    one, other, third = (opened(mean_lengths, stack, kind) for _ in range(3))
    play(one, rows[:before])
    other.load_state_dict(one.state_dict())
    assert play(one, rows[before : before + 20]) == play(other, rows[before : before + 20])
    third.load_state_dict(other.state_dict())
    assert play(one, rows[before + 20 :]) == play(third, rows[before + 20 :])


def test_a_history_is_no_longer_than_the_running_episodes() -> None:
    stream = opened([1.0, 4.0], 1)
    play(stream, [[0, 0]] * 3_000)
    assert len(stream.state_dict()["environments"]["actions"]) < 100


@pytest.mark.parametrize("kind", [Forgetful, NotAsDeclared])
def test_environments_that_ignore_their_seeds_are_detected(kind: type[Walk]) -> None:
    rows = [[0, 1]] * 50
    one, other = (opened([4.0, 9.0], 1, kind) for _ in range(2))
    play(one, rows)
    with pytest.raises(FrameworkError, match=rf"{kind.__name__} does not repeat|show other frames"):
        other.load_state_dict(one.state_dict())


@given(per_seed=st.integers(1, 5), episodes=st.integers(1, 12))
def test_every_kth_episode_has_a_seed(per_seed: int, episodes: int) -> None:
    """Also after new episodes were begun in the place of those that cannot be repeated."""
    env = SlowToSeed(1.0, per_seed=per_seed)
    stream = TransitionStream(
        SyncVectorEnv([lambda: env], autoreset_mode=AutoresetMode.DISABLED), lambda env_id, episode: episode
    )
    play(stream, [[0]] * episodes)
    assert env.given == [None if number % per_seed else number for number in range(episodes + 1)]
    env.given.clear()
    stream.begin_anew(stream.state_dict())
    since = (episodes + 1) % per_seed
    assert env.given == [episodes + 1 - since, *[None] * since]


@pytest.mark.parametrize("declared", [0, -1, 1.5, "2", None, True])
def test_a_number_of_episodes_per_seed_that_is_none_is_refused(declared: Any) -> None:
    with pytest.raises(UsageError, match=f"episodes_per_seed = {declared!r} is not supported: it must be a whole"):
        opened([3.0], 1, partial(SlowToSeed, per_seed=declared))


def test_an_environments_own_state_is_used_instead_of_repeating_episodes() -> None:
    one, other = (TransitionStream(Countdown(), lambda env_id, episode: 0) for _ in range(2))
    assert one.restorable
    play(one, [[0, 1]] * 9)
    other.load_state_dict(one.state_dict())
    assert play(one, [[1, 0]] * 9) == play(other, [[1, 0]] * 9)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_environments_that_reset_themselves_are_not_restorable(mode: AutoresetMode) -> None:
    assert not TransitionStream(
        SyncVectorEnv([lambda: Walk(3.0)], autoreset_mode=mode), lambda env_id, episode: 0
    ).restorable
    assert TransitionStream(vectorise(lambda: Walk(3.0), 1), lambda env_id, episode: 0).restorable
