"""The edge of a vector environment: masks reach the frames in every autoreset mode, and faults are named."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given
from hypothesis import strategies as st

from framework.environments.edge import Edge
from framework.environments.stream import TransitionStream, vectorise
from framework.errors import FrameworkError, UsageError
from framework.spaces import MASK, WHOLE
from tests.stand_ins.rooms import Rooms, RoomsOptions

MODES = [AutoresetMode.DISABLED, AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]


class Counting(gymnasium.Env[Any, Any]):
    """Counts its steps and never starts again at 0. Its mask is the number in binary, and the first action.

    After the last step of a terminated episode, no action is allowed.
    """

    observation_space, action_space = Discrete(10_000), Discrete(4)

    def __init__(self, lengths: list[int], ending: str = "terminated") -> None:
        self.lengths, self.ending = lengths, ending
        self.number = self.episode = -1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.number, self.episode, self.step_of = self.number + 1, self.episode + 1, 0
        return self.number, {"action_mask": mask_at(self.number)}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.number, self.step_of = self.number + 1, self.step_of + 1
        done = self.step_of >= self.lengths[self.episode % len(self.lengths)]
        mask = mask_at(self.number) if not done or self.ending == "truncated" else np.zeros(4, np.int8)
        ends = (done and self.ending == "terminated", done and self.ending == "truncated")
        return self.number, 0.0, *ends, {"action_mask": mask, "other": 3}


def mask_at(number: int) -> np.ndarray:
    return np.array([1, number & 1, number >> 1 & 1, number >> 2 & 1], np.int8)


@given(
    lengths=st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=3), min_size=1, max_size=3),
    mode=st.sampled_from(MODES),
    ending=st.sampled_from(["terminated", "truncated"]),
)
def test_every_transition_has_the_masks_of_its_two_observations(
    lengths: list[list[int]], mode: AutoresetMode, ending: str
) -> None:
    env = SyncVectorEnv([lambda one=one: Counting(one, ending) for one in lengths], autoreset_mode=mode)
    stream = TransitionStream(env, lambda env_id, episode: 0)
    assert stream.spaces.observation.leaves == {WHOLE: Discrete(10_000)}
    for _ in range(12):
        seen = stream.observations
        if mode is not AutoresetMode.NEXT_STEP:  # there, an observation may be the last of its episode
            assert seen[MASK].tolist() == [mask_at(number).tolist() for number in seen[WHOLE]]
        stream.begin(np.zeros(len(lengths), np.int64))
        step = stream.finish()
        for row in range(len(step)):
            assert step.obs[MASK][row].tolist() == mask_at(step.obs[WHOLE][row]).tolist()
            after = mask_at(step.next_obs[WHOLE][row]) if not step.terminated[row] else np.ones(4)
            assert step.next_obs[MASK][row].tolist() == after.tolist()
            assert step.next_obs[WHOLE][row] == step.obs[WHOLE][row] + 1


@pytest.mark.parametrize("processes", [False, True])
def test_masks_and_parts_cross_processes(processes: bool) -> None:
    env = vectorise(Rooms, 2, processes)
    stream = TransitionStream(env, lambda env_id, episode: env_id)
    try:
        for _ in range(40):
            obs = stream.observations
            assert obs["camera"].shape == (2, 3, 20, 24)  # channels first
            rooms = obs["place"]
            assert np.array_equal(obs[MASK][:, 0], rooms > 0) and np.array_equal(obs["x"], rooms / 2)
            stream.begin(np.array([2, 1]))
            stream.finish()
    finally:
        stream.close()


@pytest.mark.parametrize("where", ["method", "part"])
def test_a_mask_may_come_from_a_method_or_be_a_part(where: Any) -> None:
    stream = TransitionStream(vectorise(lambda: Rooms(RoomsOptions(masks=where)), 2), lambda env_id, episode: env_id)
    assert MASK not in stream.spaces.frame.leaves and stream.spaces.frame.actions == 3
    for _ in range(30):
        assert np.array_equal(stream.observations[MASK][:, 0], stream.observations["place"] > 0)
        stream.begin(np.array([2, 2]))
        stream.finish()


def test_an_action_that_the_mask_forbids_is_never_sent() -> None:
    stream = TransitionStream(vectorise(Rooms, 1), lambda env_id, episode: 0)
    while stream.observations["place"][0]:  # the mask allows to go left
        stream.begin(np.array([0]))
        stream.finish()
    with pytest.raises(
        FrameworkError, match=r"action 0 was chosen in environment 0, whose action_mask allows \[1, 2\]"
    ):
        stream.begin(np.array([0]))


class Faulty(gymnasium.Env[Any, Any]):
    """Gives these infos, one after the other."""

    observation_space, action_space = Discrete(2), Discrete(2)

    def __init__(self, infos: list[dict[str, Any]]) -> None:
        self.infos = list(infos)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return 0, self.infos.pop(0)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return 1, 0.0, False, False, self.infos.pop(0)


ALL, NONE = {"action_mask": np.ones(2)}, {"action_mask": np.zeros(2)}


@pytest.mark.parametrize(
    ("infos", "message"),
    [
        ([NONE], "allows no action where the episode has not terminated"),
        ([ALL, NONE], "allows no action where the episode has not terminated"),
        ([ALL, {}], "info has no action_mask, and had one after the first reset"),
        ([{}, ALL], "info has an action_mask now, and had none after the first reset"),
        ([{"action_mask": np.ones(3)}], r"is \[True, True, True\], and must hold 0 or 1 for each of the 2 actions"),
        ([ALL, {"action_mask": [1, 5]}], r"is \[1, 5\], and must hold 0 or 1 for each of the 2 actions"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # gymnasium tells of errors in processes
@pytest.mark.parametrize("processes", [False, True])
def test_faults_of_masks_are_named(infos: list[dict[str, Any]], message: str, processes: bool) -> None:
    env = vectorise(lambda: Faulty(infos), 1, processes)
    try:
        with pytest.raises(UsageError, match=message):  # noqa: PT012  # the first infos are faulty at the start
            stream = TransitionStream(env, lambda env_id, episode: 0)
            stream.begin(np.array([0]))
            stream.finish()
    finally:
        env.close()


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        ({"place": 1}, r"an observation has the keys \['place'\], and its observation_space says \['place', 'x'\]"),
        (7, r"an observation has the type int, and its observation_space says \['place', 'x'\]"),
        ({"place": 1, "x": np.zeros(3)}, r"part \['x'\] of an observation has shape \(3,\)"),
        ({"place": 1.5, "x": 0.0}, r"part \['place'\] of an observation is float64, and .* says int64"),
    ],
)
def test_parts_that_do_not_fit_their_space_are_named(shown: Any, message: str) -> None:
    env = Rooms(RoomsOptions(parts="vector", masks="none"))
    env.shown = lambda: shown  # type: ignore[method-assign]
    with pytest.raises(UsageError, match=message):
        Edge(env).reset()


def test_a_tuple_has_as_many_parts_as_its_space() -> None:
    env = Rooms(RoomsOptions(parts="finite"))
    right = env.shown
    env.shown = lambda: {**right(), "more": right()["more"][:1]}  # type: ignore[method-assign]
    with pytest.raises(UsageError, match=r"part \['more'\] of an observation has 1 parts, and .* says 2 parts"):
        Edge(env).reset()


@pytest.mark.parametrize(
    ("final", "message"),
    [
        ({}, "final_info has no action_mask where an episode was truncated"),
        ({"action_mask": np.zeros((1, 4)), "_action_mask": np.array([True])}, "allows no action"),
        ({"action_mask": np.ones((1, 4)), "_action_mask": np.array([False])}, "final_info has no action_mask"),
    ],
)
def test_the_last_mask_of_a_truncated_episode_is_needed(final: dict[str, Any], message: str) -> None:
    env = SyncVectorEnv([lambda: Counting([1], "truncated")], autoreset_mode=AutoresetMode.SAME_STEP)
    step = env.step
    env.step = lambda actions: (*step(actions)[:4], {**step(actions)[4], "final_info": final})  # type: ignore[method-assign]
    stream = TransitionStream(env, lambda env_id, episode: 0)
    stream.begin(np.zeros(1, np.int64))
    with pytest.raises(UsageError, match=message):
        stream.finish()


def test_a_method_that_a_vector_environment_does_not_pass_on_is_refused() -> None:
    env = SyncVectorEnv([lambda: Rooms(RoomsOptions(masks="method"))])
    with pytest.raises(UsageError, match="a method action_masks, which a vector environment does not pass on"):
        TransitionStream(env, lambda env_id, episode: 0)


@given(
    dtype=st.sampled_from([np.uint8, np.int16, np.bool_, np.float32]),
    given_dtype=st.sampled_from([np.int64, np.uint8, np.float64, np.bool_]),
    value=st.sampled_from([0, 1, 2, 300, -1]),
    processes=st.just(False),
)
def test_numbers_arrive_as_they_were_or_are_refused(dtype: Any, given_dtype: Any, value: int, processes: bool) -> None:
    space = gymnasium.spaces.Box(0 if dtype is not np.float32 else -np.inf, 1, (2,), dtype)
    shown = np.full(2, value).astype(given_dtype)
    env = Rooms(RoomsOptions(parts="one", masks="none"))
    env.observation_space = space
    env.shown = lambda: shown  # type: ignore[method-assign]
    try:
        frames = TransitionStream(vectorise(lambda: env, 1), lambda env_id, episode: 0).observations
    except UsageError:
        fits = given_dtype is not np.float64 or dtype is np.float32
        assert not fits or not (shown.astype(dtype) == shown).all()
    else:
        assert frames.dtype == dtype and (frames[0] == shown).all()
