"""The plugin `cartpole`: gymnasium's own environment, and the values that it recommends."""

from __future__ import annotations

from typing import Any, get_args

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import cartpole
from framework.assembly.assemble import assemble
from framework.assembly.configuration import configure
from framework.training.loop import Loop
from framework.types import Role


@given(st.integers(0, 2**31 - 1), st.lists(st.integers(0, 1), max_size=60))
@settings(max_examples=20)
def test_it_is_gymnasiums(seed: int, actions: list[int]) -> None:
    ours, reference = cartpole.make_env("train")(), gymnasium.make("CartPole-v1")
    assert np.array_equal(ours.reset(seed=seed)[0], reference.reset(seed=seed)[0])
    for action in actions:
        step, expected = ours.step(action), reference.step(action)
        assert np.array_equal(step[0], expected[0])
        assert step[1:4] == expected[1:4]
        if step[2]:
            break


def test_five_hundred_steps_truncate() -> None:
    assert gymnasium.spec("CartPole-v1").max_episode_steps == 500


@pytest.mark.parametrize("role", get_args(Role))
def test_only_the_watched_environment_draws(role: Role) -> None:
    assert cartpole.make_env(role)().render_mode == ("rgb_array" if role == "watch" else None)


@pytest.mark.parametrize(("names", "for_dqn"), [(["dqn", "cartpole"], True), (["other", "cartpole"], False)])
def test_recommended_values(names: list[str], for_dqn: bool) -> None:
    wanted = {**cartpole.RECOMMENDED, **(cartpole.RECOMMENDED_FOR_DQN if for_dqn else {})}
    assert cartpole.recommended_values(names) == wanted


def test_dqn_takes_them() -> None:
    """The composition has every plugin with a recommended value, so no value is left out."""
    flat: dict[str, Any] = configure("dqn,c51,per,cartpole")[1].flat()
    wanted = {**cartpole.RECOMMENDED, **cartpole.RECOMMENDED_FOR_DQN}
    assert {key: flat[key] for key in wanted} == {**wanted, "dqn.mlp": list(wanted["dqn.mlp"])}


def test_dqn_takes_its_first_steps() -> None:
    parts = assemble("dqn,cartpole,framework.testing", {"run.steps": 40, "learning.starts": 10})
    Loop(parts).run()
    assert parts.counters.updates > 5
    parts.close()
