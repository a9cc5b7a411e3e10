"""Environments of gymnasium: images with the channels last become images with the channels first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from framework.assembly.assemble import assemble
from framework.environments.edge import Edge
from framework.environments.gym import GymEnvironment
from framework.environments.gym_options import GymOptions
from framework.environments.stream import TransitionStream, vectorise

ID = "Snapshots-v0"
PLAIN = GymOptions.model_validate({})


class Snapshots(gymnasium.Env[np.ndarray, np.int64]):
    """Shows random pictures, and keeps the newest."""

    drawn: np.ndarray

    def __init__(self, shape: tuple[int, ...], dtype: Any = np.uint8, render_mode: str | None = None) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, dtype)
        self.action_space = gymnasium.spaces.Discrete(2)

    def _draw(self) -> np.ndarray:
        Snapshots.drawn = self.np_random.integers(0, 256, self.observation_space.shape).astype(
            self.observation_space.dtype
        )
        return Snapshots.drawn

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, Any]:
        super().reset(seed=seed)
        return self._draw(), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return self._draw(), 0.0, False, False, {}


@pytest.fixture
def register(request: pytest.FixtureRequest) -> Iterator[None]:
    gymnasium.register(ID, Snapshots, kwargs=request.param, max_episode_steps=9)
    yield
    del gymnasium.registry[ID]


def pictures(shape: tuple[int, ...], dtype: Any = np.uint8) -> Any:
    return {"shape": shape, "dtype": dtype}


@pytest.mark.parametrize("register", [pictures((40, 48, c)) for c in (1, 3, 4)], indirect=True)
def test_images_with_their_channels_last_are_shown_channels_first(register: None) -> None:
    stream = TransitionStream(vectorise(GymEnvironment(ID).factory("train", PLAIN), 1), lambda env_id, episode: episode)
    for _ in range(3):
        assert np.array_equal(stream.observations[0], np.moveaxis(Snapshots.drawn, -1, 0))
        stream.begin(np.zeros(1, np.int64))
        stream.finish()


@pytest.mark.parametrize("register", [pictures((40, 48, 3))], indirect=True)
def test_a_network_sees_three_colours_and_not_forty(register: None) -> None:
    parts = assemble(f"dqn,gym:{ID}", {"run.steps": 1})
    assert parts.spaces.observation.shape == (3, 40, 48)
    assert parts.policy.online.torso.layers[0].in_channels == 3


@pytest.mark.parametrize(
    "register",
    [pictures((3, 40, 48)), pictures((40, 48)), pictures((40, 48, 7)), pictures((40, 48, 3), np.float32)],
    indirect=True,
)
def test_other_observations_are_unchanged(register: None) -> None:
    env = Edge(GymEnvironment(ID).factory("train", PLAIN)())
    assert np.array_equal(env.reset(seed=0)[0], Snapshots.drawn)
