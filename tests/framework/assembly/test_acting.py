"""An agent in a loop of the user's own chooses what it chooses in an evaluation of the engine."""

from __future__ import annotations

import doctest
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from framework.assembly.acting import Actor
from framework.assembly.assemble import assemble
from framework.assembly.parts import Agent, Parts
from framework.environments.stream import TransitionStream, vectorise
from framework.environments.translation import Translation
from framework.spaces import only_legal
from tests.stand_ins.darkroom import Darkroom, DarkroomOptions
from tests.stand_ins.rooms import Rooms, RoomsOptions

SMALL = {"dqn.hidden": 8, "dqn.mlp": (8,), "run.steps": 10}


def assembled(names: str, values: dict[str, Any] | None = None) -> Parts:
    parts = assemble(names, {**(SMALL if names.startswith("dqn") else {"run.steps": 10}), **(values or {})})
    parts.close()
    return parts


def of_the_engine(agent: Agent, steps: int) -> list[Any]:
    """The greedy actions in the engine's environments, as these get them."""
    stream = agent.open_stream("evaluate", 1, "loop")
    translation = Translation(*(stream.spaces.declared or ()))
    found = []
    for _ in range(steps):
        obs = stream.observations
        action = only_legal(agent.policy.action_values(obs, explore=False), obs).argmax(axis=1)
        found.append(translation.actions(action)[0])
        stream.begin(action)
        stream.finish()
    stream.close()
    return found


def of_a_plain_loop(agent: Agent, env: gymnasium.Env[Any, Any], steps: int) -> list[Any]:
    found: list[Any] = []
    episode, over = 0, True
    obs: Any = None
    info: dict[str, Any] = {}
    while len(found) < steps:
        if over:
            obs, info = env.reset(seed=agent.seeds.episode("loop", 0, episode))
            agent.reset()
            episode += 1
        action = agent.act(obs, info=info)
        assert env.action_space.contains(np.int64(action) if isinstance(action, int) else action)
        found.append(action)
        obs, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
    return found


@pytest.mark.parametrize(("stack", "padding", "colours"), [(1, "repeat", 3), (3, "repeat", 0), (4, "zero", 0)])
def test_images_with_stacks_masks_and_actions_of_several_parts(stack: int, padding: str, colours: int) -> None:
    options = {"stack": stack, "padding": padding, "colours": colours}
    values = {f"darkroom.{name}": value for name, value in options.items()}
    agent = assembled("dqn,tests.stand_ins.darkroom", values)
    env = Darkroom(DarkroomOptions.model_validate(options))
    expected, found = of_the_engine(agent, 30), of_a_plain_loop(agent, env, 30)
    assert np.array_equal(expected, found)
    assert len({tuple(action) for action in found}) > 1, "the agent's choice depends on what it sees"


@pytest.mark.parametrize("masks", ["info", "part", "none"])
@pytest.mark.parametrize("names", ["dqn", "tabular"])
def test_observations_of_several_parts_and_their_masks(names: str, masks: str) -> None:
    shown: Any = {"rooms.masks": masks, "rooms.parts": "all" if names == "dqn" else "finite"}
    agent = assembled(f"{names},tests.stand_ins.rooms", shown)
    env = Rooms(RoomsOptions.model_validate({"masks": masks, "parts": shown["rooms.parts"]}))
    assert of_a_plain_loop(agent, env, 40) == of_the_engine(agent, 40)


def test_a_mask_that_the_run_had_must_be_given() -> None:
    agent = assembled("tabular,tests.stand_ins.rooms", {"rooms.parts": "one", "rooms.masks": "method"})
    env = Rooms(RoomsOptions(parts="one", masks="method"))
    obs, info = env.reset(seed=0)
    with pytest.raises(ValueError, match="info has no action_mask"):
        agent.act(obs, info=info)
    assert agent.act(obs, env.mask(), info=info) in (-1, 0, 1)


class PolicySpy:
    """Keeps what it is asked about."""

    def __init__(self) -> None:
        self.asked: list[np.ndarray] = []

    def action_values(self, obs: np.ndarray, explore: bool) -> np.ndarray:
        self.asked.append(obs["observation"].copy())
        return np.zeros((len(obs), 6), np.float32)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None: ...


def test_without_a_reset_the_first_frame_begins_an_episode_and_whole_stacks_leave_it_alone() -> None:
    options = DarkroomOptions(colours=3)
    spaces = TransitionStream(vectorise(lambda: Darkroom(options), 1), lambda env_id, episode: episode).spaces
    policy = PolicySpy()
    actor = Actor(spaces, policy)
    frames = np.random.default_rng(0).integers(0, 256, (5, 3, 20, 24), np.uint8)
    for frame in frames[:2]:
        actor.act(frame, None, None)
    actor.act(np.moveaxis(frames[2], 0, -1), None, None)
    actor.act(frames[1:4], None, None)
    actor.act(frames[3], None, None)
    actor.reset()
    actor.act(frames[4], None, None)
    expected = [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [1, 2, 3], [4, 4, 4]]
    assert np.array_equal(np.concatenate(policy.asked), frames[expected])


def test_the_example_of_the_docstring_runs(tmp_path: Path) -> None:
    (example,) = [
        test for test in doctest.DocTestFinder().find(Agent, globs={"folder": tmp_path / "run"}) if test.examples
    ]
    failed, tried = doctest.DocTestRunner().run(example)
    assert (failed, tried > 5, example.name) == (0, True, "Agent.act")
