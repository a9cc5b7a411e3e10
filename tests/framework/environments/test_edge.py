"""What crosses the edge between an environment and the engine: types that the spaces declare, or a named refusal."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.environments.edge import Edge
from framework.environments.stream import vectorise
from framework.errors import UsageError


class Shows(gymnasium.Env[Any, Any]):
    """Shows `obs` and pays `reward`; remembers the action."""

    def __init__(self, space: gymnasium.Space[Any], obs: Any, reward: Any = 1.0) -> None:
        self.observation_space, self.action_space = space, gymnasium.spaces.Discrete(3)
        self.obs, self.reward, self.action = obs, reward, None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.obs, {"ragged": np.arange(3)}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self.action = action
        return self.obs, self.reward, False, False, {"ragged": np.arange(int(action))}


@given(
    dtype=st.sampled_from([np.uint8, np.int16, np.int64, np.float32, np.float64]),
    shape=hnp.array_shapes(max_dims=4, max_side=6),
    data=st.data(),
)
def test_observations_pass_and_images_have_their_channels_first(dtype: Any, shape: tuple[int, ...], data: Any) -> None:
    info = np.finfo(dtype) if np.dtype(dtype).kind == "f" else np.iinfo(dtype)
    obs = data.draw(hnp.arrays(dtype, shape, elements={"allow_nan": False} if np.dtype(dtype).kind == "f" else None))
    edge = Edge(Shows(gymnasium.spaces.Box(info.min, info.max, shape, dtype), obs))
    turned = dtype is np.uint8 and len(shape) == 3 and shape[2] in (1, 3, 4) and shape[0] not in (1, 3, 4)
    expected = np.moveaxis(obs, -1, 0) if turned else obs
    for seen in (edge.reset(seed=0)[0], edge.step(0)[0]):
        assert np.array_equal(seen, expected)
        assert seen.shape == edge.observation_space.shape
    assert edge.reset()[1] == edge.step(0)[4] == {}


@pytest.mark.parametrize("reward", [1, 1.5, np.float32(1.5), np.array(2), np.array([2.0]), np.array([[3]]), True])
def test_a_reward_of_one_number_is_a_float(reward: Any) -> None:
    edge = Edge(Shows(gymnasium.spaces.Discrete(2), 1, reward))
    edge.reset()
    paid = edge.step(0)[1]
    assert type(paid) is float and paid == float(np.asarray(reward).item())


@pytest.mark.parametrize("reward", [[1.0, 2.0], np.zeros((2, 1)), np.zeros(0)])
def test_other_rewards_are_refused(reward: Any) -> None:
    edge = Edge(Shows(gymnasium.spaces.Discrete(2), 1, reward))
    edge.reset()
    with pytest.raises(UsageError, match="a reward has shape"):
        edge.step(0)


def test_an_action_is_pythons_int() -> None:
    env = Shows(gymnasium.spaces.Discrete(2), 1)
    edge = Edge(env)
    edge.reset()
    edge.step(np.int64(2))
    assert type(env.action) is int and env.action == 2


BYTES = gymnasium.spaces.Box(0, 255, (4,), np.uint8)


SHAPE = r"an observation has shape \(2, 2\), and its observation_space says \(4,\)"


@pytest.mark.filterwarnings("ignore::UserWarning")  # gymnasium logs what a process raises, before it raises it here
@pytest.mark.parametrize("processes", [False, True])
@pytest.mark.parametrize(
    ("space", "obs", "said"),
    [
        (BYTES, np.zeros(4), "an observation is float64, and its observation_space says uint8"),
        (BYTES, np.zeros((2, 2), np.uint8), SHAPE),
        (gymnasium.spaces.Discrete(3), 1.0, "an observation is float64, and its observation_space says int64"),
        (BYTES, "four", "an observation has shape"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_process_and_in_several(
    space: Any, obs: Any, said: str, processes: bool
) -> None:
    env = vectorise(lambda: Shows(space, obs), 1, processes, 20.0)
    with pytest.raises(UsageError, match=said):
        env.reset(seed=[0])
    env.close()


@pytest.mark.parametrize("axis", [-3, -2, -1])
def test_a_declared_mirror_reverses_the_axis_that_its_author_meant(axis: int) -> None:
    obs = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    env = Shows(gymnasium.spaces.Box(0, 255, obs.shape, np.uint8), obs)
    env.metadata = {"mirror": {"axis": axis, "actions": [0, 2, 1]}, "render_fps": 4}
    edge = Edge(env)
    seen = edge.reset()[0]
    mirrored = np.flip(seen, edge.metadata["mirror"]["axis"])
    assert np.array_equal(mirrored, np.moveaxis(np.flip(obs, axis), -1, 0))
    assert edge.metadata["mirror"]["actions"] == [0, 2, 1]
    assert edge.metadata["render_fps"] == 4


@pytest.mark.parametrize("declared", [None, {}, {"axis": 5}, {"axis": "x"}, [1], {"axis": [-1]}])
def test_a_malformed_mirror_is_left_to_the_stream_which_refuses_it(declared: Any) -> None:
    env = Shows(gymnasium.spaces.Box(0, 255, (6, 8, 3), np.uint8), np.zeros((6, 8, 3), np.uint8))
    env.metadata = {"mirror": declared}
    assert Edge(env).metadata["mirror"] == declared


def test_spaces_of_another_package_are_refused() -> None:
    class Box:
        shape, dtype = (2,), np.dtype(np.float32)

    env = Shows(BYTES, np.zeros(4, np.uint8))
    env.observation_space = Box()  # type: ignore[assignment]
    with pytest.raises(UsageError, match=r"its observation_space is .*Box, which is no gymnasium.Space"):
        Edge(env)


class GlobalDraws(gymnasium.Env[Any, Any]):
    observation_space = gymnasium.spaces.Box(0, 1, (1,), np.float64)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return np.random.random(1), {}  # noqa: NPY002  # as environments of others do

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.random.random(1), 0.0, False, False, {}  # noqa: NPY002


def test_processes_draw_apart_from_a_global_generator_and_repeat_themselves() -> None:
    seen = []
    for _ in range(2):
        env = vectorise(GlobalDraws, 3, True, 20.0, [11, 22, 33])
        seen.append(env.reset()[0].ravel().tolist())
        env.close()
    assert len(set(seen[0])) == 3
    assert seen[0] == seen[1]
