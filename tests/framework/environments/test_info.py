"""The recorded numbers of `info` are those of a plain loop, in every autoreset mode, and nothing else crosses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.environments.edge import Edge
from framework.environments.info import KEYS, crossing, wanted_keys
from framework.environments.stream import TransitionStream, vectorise
from framework.errors import UsageError
from framework.training.episode_info import InfoMetrics, Metrics
from tests.framework.environments.informing import Informing, Script

METRICS = ("a", "sum:a", "b", "sum:b", "sum:c")
WANTED = wanted_keys(METRICS, "train")


def by_hand(script: Script, steps: int) -> list[Metrics]:
    """The metrics of the episodes that end within so many steps."""
    found: list[Metrics] = []
    for number in range(steps):
        infos = script[number % len(script)]
        steps -= len(infos)
        if steps < 0:
            break
        sums: dict[str, float | None] = {}
        for key in "abc":
            given = [float(np.asarray(info[key])) for info in infos if key in info]
            sums[key] = sum(given) if given else None
        last = {key: float(infos[-1][key]) if key in infos[-1] else None for key in "ab"}
        found.append({**last, **{f"sum:{key}": sums[key] for key in "abc"}})
    return found


def played(env: VectorEnv[Any, Any, Any], steps: int) -> list[list[Metrics]]:
    """The metrics of each environment's episodes, in so many transitions of each."""
    stream = TransitionStream(env, lambda env_id, episode: 0, wanted=WANTED)
    metrics, found = InfoMetrics(METRICS, env.num_envs), [list[Metrics]() for _ in range(env.num_envs)]
    made = np.zeros(env.num_envs, np.int64)
    try:
        while made.min() < steps:
            stream.begin(np.zeros(env.num_envs, np.int64))
            step = stream.finish()
            assert all(len(numbers) == len(step) for numbers in step.info.values())
            metrics.add(step)
            for row, env_id in enumerate(step.env_id):
                made[env_id] += 1
                if step.ended[row] and made[env_id] <= steps:
                    found[env_id].append(metrics.end(step, row))
    finally:
        stream.close()
    return found


NUMBERS = st.integers(-3, 3).map(float)
INFOS = st.fixed_dictionaries({}, optional={"a": NUMBERS, "b": NUMBERS, "c": NUMBERS})
SCRIPTS = st.lists(st.lists(INFOS, min_size=1, max_size=4), min_size=1, max_size=3)


@pytest.mark.parametrize("edged", [True, False])
@pytest.mark.parametrize("mode", AutoresetMode)
@settings(max_examples=40)
@given(scripts=st.lists(SCRIPTS, min_size=1, max_size=3))
def test_every_mode_gives_the_metrics_of_a_plain_loop(mode: AutoresetMode, edged: bool, scripts: list[Script]) -> None:
    def make(script: Script) -> Any:
        env = Informing(script)
        return Edge(env, WANTED) if edged else env

    makers = [partial(make, script) for script in scripts]
    found = played(SyncVectorEnv(makers, autoreset_mode=mode), 12)
    for script, metrics in zip(scripts, found, strict=True):
        assert metrics == by_hand(script, 12)


@pytest.mark.parametrize("processes", [False, True])
def test_single_environments_give_them_in_one_process_and_in_several(processes: bool) -> None:
    script: Script = [[{"a": 1, "c": np.int8(2)}, {"a": np.float32(0.5), "b": True}], [{"b": np.array(2), "x": {}}]]
    found = played(vectorise(partial(Informing, script), 2, processes, 20.0, wanted=WANTED), 6)
    assert found == [by_hand(script, 6)] * 2


VALUES = st.one_of(
    st.none(), st.text(), st.lists(st.floats()), st.dictionaries(st.text(), st.integers()), st.just([[1], [2, 3]])
)


@given(info=st.dictionaries(st.one_of(st.text(), st.integers()), VALUES), ended=st.booleans())
def test_nothing_crosses_that_was_not_asked_for(info: dict[Any, Any], ended: bool) -> None:
    assert crossing(info, {}, ended) == {}
    assert crossing(info, {"is_success": False}, ended) == {}
    rest = {key: value for key, value in info.items() if key != "a"}
    crossed = crossing({**rest, "a": 1}, {"a": True, "is_success": False}, ended)
    assert crossed == {"a": 1.0}


@pytest.mark.parametrize("info", [None, [], "text"])
def test_an_info_that_is_no_dict_has_no_numbers(info: Any) -> None:
    assert crossing(info, WANTED, True) == {}


@pytest.mark.parametrize("number", [True, 1, 1.0, np.float32(1), np.int64(1), np.bool_(True), np.array(1.0)])
def test_every_kind_of_number_is_a_float(number: Any) -> None:
    crossed = crossing({"a": number}, {"a": True}, False)
    assert crossed == {"a": 1.0} and type(crossed["a"]) is float


@pytest.mark.filterwarnings("ignore::UserWarning")  # gymnasium logs what a process raises, before it raises it here
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        ("one", "str"),
        ({"r": 1.0}, "dict"),
        ([1.0], "list"),
        (np.zeros(1), r"ndarray of shape \(1,\)"),
        (np.zeros((2, 3)), r"ndarray of shape \(2, 3\)"),
        ([[1], [2, 3]], "list"),
        (1j, "complex"),
    ],
)
def test_what_is_no_number_is_named_if_it_was_asked_for(value: Any, shown: str) -> None:
    said = rf"record.info names 'a', and the environment's info has {shown} there, which is no number"
    with pytest.raises(UsageError, match=said):
        crossing({"a": value}, {"a": True}, False)
    assert crossing({"a": value}, {"a": False}, False) == {}
    env = vectorise(partial(Informing, [[{"a": value}]]), 1, True, 20.0, wanted=WANTED)
    env.reset(seed=[0])
    with pytest.raises(UsageError, match=said):
        env.step(np.zeros(1, np.int64))
    env.close()


class Batched(VectorEnv[Any, Any, Any]):
    """A vector environment of a plugin, with any info."""

    metadata: ClassVar[dict[str, Any]] = {"autoreset_mode": AutoresetMode.DISABLED}
    num_envs = 2
    single_observation_space = Informing.observation_space
    single_action_space = Informing.action_space

    def __init__(self, info: Mapping[str, Any], ended: bool = False) -> None:
        self.info, self.ended = info, ended

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return np.zeros(2, np.int64), {}

    def step(self, actions: Any) -> Any:
        ended = np.full(2, self.ended)
        return np.zeros(2, np.int64), np.zeros(2), ended, ended, self.info

    def numbers(self, wanted: dict[str, bool]) -> dict[str, list[float | None]]:
        stream = TransitionStream(self, lambda env_id, episode: 0, wanted=wanted)
        stream.begin(np.zeros(2, np.int64))
        info = stream.finish().info
        self.keys = stream.infos.keys
        return {name: [None if math.isnan(one) else one for one in column] for name, column in info.items()}


def test_a_vector_environment_s_masks_are_read() -> None:
    mask = np.array([True, False])
    for values in (np.array([3, 4]), np.array([3.0, 4.0], object), np.array([np.int8(3), None])):
        assert Batched({"a": values, "_a": mask}).numbers({"a": True}) == {"a": [3.0, None]}
    assert Batched({"a": np.array([3, 4])}).numbers({"a": True, "b": True}) == {"a": [3.0, 4.0], "b": [None, None]}
    assert Batched({"a": np.array([3, 4])}).numbers({}) == {}


@pytest.mark.parametrize("values", [np.zeros((2, 2)), np.zeros(3), {"r": np.zeros(2)}, 5, [[1], [2, 3]]])
def test_a_vector_environment_s_other_values_are_named(values: Any) -> None:
    with pytest.raises(
        UsageError, match=r"record.info names 'a', and the vector environment's info has .* for each of 2"
    ):
        Batched({"a": values}).numbers({"a": True})
    assert Batched({"a": values}).numbers({"a": False}) == {"a": [None, None]}


def test_the_keys_are_known_once_an_episode_has_ended() -> None:
    for ended in (False, True):
        env = Batched({"a": np.zeros(2), "_a": np.ones(2, bool), "other": np.zeros((2, 5))}, ended)
        env.numbers({"x": True})
        assert env.keys == ({"a", "other"} if ended else set())
    assert crossing({"a": [1], 7: 2}, {"x": True, "y": False}, True) == {KEYS: "a\n7"}
    script: Script = [[{"early": 1}, {"late": np.zeros(3)}]]
    for processes in (False, True):
        env = vectorise(partial(Informing, script), 2, processes, 20.0, wanted={"x": True})
        stream = TransitionStream(env, lambda env_id, episode: 0, wanted={"x": True})
        for _ in range(2):
            stream.begin(np.zeros(2, np.int64))
            stream.finish()
        stream.close()
        assert stream.infos.keys == {"late"}
