"""The options of `gym:ID`: arguments, limits, wrappers, pictures and rewards; and what is refused."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.assembly.assemble import assemble
from framework.config import parse_assignment
from framework.environments.gym import GymEnvironment
from framework.environments.gym_options import FrameSkip, GymOptions, make
from framework.environments.stream import TransitionStream, vectorise
from framework.errors import UsageError
from framework.training.loop import Loop
from tests.framework.environments.test_stream import ScriptedEnv


def made(env_id: str = "CartPole-v1", **options: Any) -> gymnasium.Env[Any, Any]:
    return make(env_id, GymOptions.model_validate(options))


def layers(env: Any) -> list[str]:
    """The names of the wrappers, the outermost first."""
    found = []
    while isinstance(env, gymnasium.Wrapper):
        found.append(type(env).__name__)
        env = env.env
    return found


def test_arguments_reach_the_environment() -> None:
    env = made("FrozenLake-v1", kwargs={"map_name": "8x8", "is_slippery": False})
    assert env.observation_space == gymnasium.spaces.Discrete(64)


@pytest.mark.parametrize(("limit", "wanted"), [(None, 500), (7, 7), (0, None)])
def test_the_time_limit_replaces_the_registered_one(limit: int | None, wanted: int | None) -> None:
    env: Any = made(time_limit=limit)
    assert ("TimeLimit" in layers(env)) is (wanted is not None)
    if wanted is not None:
        assert env.get_wrapper_attr("_max_episode_steps") == wanted


def test_wrappers_are_applied_in_their_order_with_their_arguments() -> None:
    dtype = {"gymnasium.wrappers.DtypeObservation": {"dtype": "float64"}}
    env = made(wrappers=["gymnasium.wrappers.FlattenObservation", dtype])
    assert layers(env)[:2] == ["DtypeObservation", "FlattenObservation"]
    assert env.observation_space.dtype == np.float64


@given(
    script=st.lists(
        st.tuples(st.integers(1, 5), st.sampled_from([(True, False), (False, True)])).map(lambda x: (x[0], *x[1])),
        min_size=1,
        max_size=3,
    ),
    k=st.integers(1, 4),
)
def test_a_skipped_step_is_the_sum_of_its_steps(script: list[tuple[int, bool, bool]], k: int) -> None:
    plain, skipping = ScriptedEnv(script, careful=True), FrameSkip(ScriptedEnv(script, careful=True), k)
    for _ in range(4):
        plain.reset()
        skipping.reset()
        over = False
        while not over:
            rewards = []
            for _ in range(k):
                obs, reward, terminated, truncated, _ = plain.step(2)
                rewards.append(reward)
                if terminated or truncated:
                    break
            seen, total, *ends, _ = skipping.step(2)
            assert np.array_equal(seen, obs) and total == sum(rewards) and ends == [terminated, truncated]
            over = terminated or truncated


def test_pictures_are_small_and_grey_and_stacked() -> None:
    gymnasium.register("Coloured-v0", Coloured)
    try:
        values = {"gym.grey": True, "gym.resize": [20], "gym.frame_stack": 3, "run.steps": 40, "learning.starts": 10}
        parts = assemble("dqn,gym:Coloured-v0", values)
        Loop(parts).run()
        assert parts.spaces.observation.shape == (3, 20, 20)
        parts.close()
        assert made("Coloured-v0", resize=[20, 30]).observation_space.shape == (20, 30, 3)
    finally:
        del gymnasium.registry["Coloured-v0"]


class Coloured(gymnasium.Env[Any, Any]):
    observation_space, action_space = gymnasium.spaces.Box(0, 255, (40, 60, 3), np.uint8), gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.observation_space.sample(), 10.0, bool(action), False, {}


@pytest.mark.parametrize(("scale", "clip", "learnt"), [(1, 0, 1.0), (0.25, 0, 0.25), (3, 0, 3.0), (3, 2, 2.0)])
def test_the_learner_alone_sees_scaled_and_clipped_rewards(scale: float, clip: float, learnt: float) -> None:
    options = GymOptions.model_validate({"reward_scale": scale, "reward_clip": clip})
    factory = GymEnvironment("CartPole-v1").factory("train", options)
    stream = TransitionStream(vectorise(factory, 1), lambda env_id, episode: 0)
    stream.begin(np.zeros(1, np.int64))
    step = stream.finish()
    assert step.reward.tolist() == [learnt] and step.raw_reward.tolist() == [1.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kwargs": {"speed": 3}}, r"gym.kwargs = {'speed': 3}: .*unexpected keyword argument 'speed'"),
        ({"wrappers": ["Flatten"]}, r"gym.wrappers: write 'Flatten' with its module, such as my_package.Flatten"),
        ({"wrappers": ["gymnasium.wrappers.Flat"]}, r"the module 'gymnasium.wrappers' has no 'Flat'"),
        ({"wrappers": ["nowhere.Flat"]}, r"'nowhere.Flat' cannot be imported: No module named 'nowhere'"),
        ({"wrappers": ["gymnasium.__version__"]}, r"is a str, and must be a wrapper"),
        ({"wrappers": ["builtins.len"]}, r"builtins.len cannot wrap this environment"),
        ({"wrappers": ["builtins.str"]}, r"builtins.str returned a str, and must return an environment"),
        ({"wrappers": [{"gymnasium.wrappers.TimeLimit": {"steps": 3}}]}, r"TimeLimit cannot wrap .*'steps'"),
        ({"grey": True}, r"gym.grey is for images of uint8"),
        ({"resize": [84, 84]}, r"gym.resize is for images of uint8"),
    ],
)
def test_what_cannot_be_made_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        assemble("dqn,gym:CartPole-v1", {f"gym.{name}": value for name, value in options.items()})


@pytest.mark.parametrize("value", [{"a": None}, {"a": float("inf")}, {"a": object()}, {"a": [1, None]}, 3])
def test_arguments_are_what_a_file_can_hold(value: Any) -> None:
    with pytest.raises(UsageError, match=r"gym.kwargs"):
        assemble("dqn,gym:CartPole-v1", {"gym.kwargs": value})


@pytest.mark.parametrize(
    "text", ['{map_name = "8x8", size = 8}', '{"map_name": "8x8", "size": 8}', '{ map_name="8x8", size=8 }']
)
def test_arguments_are_written_as_toml_or_json(text: str) -> None:
    assert parse_assignment(f"gym.kwargs={text}") == ("gym.kwargs", {"map_name": "8x8", "size": 8})


@pytest.mark.parametrize(
    ("length", "skipped"),
    [(8, {"life_lost": [3]}), (8, {"forbidden": [2]}), (2, {})],
)
def test_a_skip_stops_where_a_life_is_lost_or_the_action_is_no_longer_allowed(
    length: int, skipped: dict[str, list[int]]
) -> None:
    class Counting(gymnasium.Env[Any, Any]):
        observation_space, action_space = gymnasium.spaces.Discrete(99), gymnasium.spaces.Discrete(2, start=1)
        number = 0

        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            self.number += 1
            mask = np.array([self.number not in skipped.get("forbidden", []), 1])
            info = {"life_lost": self.number in skipped.get("life_lost", []), "action_mask": mask}
            return self.number, 1.0, self.number == length, False, info

    wanted = min([length, 4, *skipped.get("life_lost", []), *skipped.get("forbidden", [])])
    seen, total, *_ = FrameSkip(Counting(), 4).step(1)
    assert seen == total == wanted


def test_the_options_that_are_set_replace_what_the_environment_declares() -> None:
    class Declaring(gymnasium.Wrapper[Any, Any, Any, Any]):
        metadata = {"frame_skip": 4, "frame_stack": 2, "reward_scale": 0.5, "reward_clip": (-3, 3)}  # noqa: RUF012

    gymnasium.register("Declaring-v0", lambda: Declaring(gymnasium.make("CartPole-v1")))
    try:
        kept = made("Declaring-v0").metadata
        assert [kept[name] for name in Declaring.metadata] == [4, 2, 0.5, (-3, 3)]
        changed = made("Declaring-v0", frame_skip=2, frame_stack=1, reward_scale=1.0, reward_clip=0).metadata
        assert [changed[name] for name in Declaring.metadata] == [8, 1, 1.0, None]
    finally:
        del gymnasium.registry["Declaring-v0"]


def test_ids_that_need_an_import_get_it() -> None:
    pytest.importorskip("ale_py")
    assert GymEnvironment("ALE/Pong-v5")
    with pytest.raises(UsageError, match=r"name the package, too: gym:PACKAGE:Nothing-v0"):
        GymEnvironment("Nothing-v0")
    with pytest.raises(
        UsageError, match=r"gym:nowhere:Nothing-v0 needs the module 'nowhere', which cannot be imported"
    ):
        GymEnvironment("nowhere:Nothing-v0")
