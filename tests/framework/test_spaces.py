"""Finite observations as numbers, records, and the actions that a mask allows."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.errors import UnsupportedSpace, UsageError
from framework.spaces import MASK, WHOLE, Record, States, leaves_of, legal_actions, only_leaf, only_legal, without_mask

finite = st.one_of(
    st.integers(1, 5).map(Discrete),
    st.lists(st.integers(1, 3), min_size=1, max_size=2).map(MultiDiscrete),
    st.integers(1, 2).map(MultiBinary),
    st.tuples(st.integers(-2, 0), st.integers(0, 2)).map(lambda ends: Box(*ends, (1,), np.int8)),
)
records = st.builds(
    Record, st.dictionaries(st.sampled_from(["a", "b.0", "c"]), finite, min_size=1), st.sampled_from([0, 3])
)


def elements(space: Any) -> list[Any]:
    """Every element of a finite leaf."""
    if isinstance(space, Discrete):
        return list(range(int(space.n)))
    if isinstance(space, MultiDiscrete):
        return list(itertools.product(*map(range, space.nvec.tolist())))
    if isinstance(space, MultiBinary):
        return list(itertools.product((0, 1), repeat=space.n))
    return [[value] for value in range(int(space.low[0]), int(space.high[0]) + 1)]


def batch_of_all(space: gymnasium.Space[Any]) -> np.ndarray:
    if not isinstance(space, Record):
        return np.array(elements(space), space.dtype)
    combinations = list(itertools.product(*(elements(leaf) for leaf in space.leaves.values())))
    batch = np.zeros(len(combinations), space.dtype)
    for row, combination in enumerate(combinations):
        for name, value in zip(space.leaves, combination, strict=True):
            batch[name][row] = value
    return batch


@given(space=st.one_of(finite, records))
def test_each_observation_has_a_number_of_its_own(space: gymnasium.Space[Any]) -> None:
    every = batch_of_all(space)
    states = States(space)
    assert states.count == len(every)
    assert sorted(states(every).tolist()) == list(range(len(every)))
    assert states(every[-1:]).tolist() == states(every).tolist()[-1:]  # a row does not see the others


@given(space=st.one_of(finite, records))
def test_each_number_gives_its_observation_back(space: gymnasium.Space[Any]) -> None:
    states = States(space)
    numbers = np.arange(states.count)
    found = states.observations(numbers)
    assert np.array_equal(states(found), numbers)
    assert all(space.contains(one) for one in found)
    if isinstance(space, Record) and space.actions:
        assert found[MASK].all()
    with pytest.raises(ValueError, match="states are numbered from 0"):
        states.observations(np.array([states.count]))


@given(space=records, data=st.data())
def test_the_mask_is_no_part_of_the_state(space: Record, data: st.DataObject) -> None:
    every = batch_of_all(space)
    masked = np.zeros(len(every), Record(space.leaves, 3).dtype)
    for name in space.leaves:
        masked[name] = every[name]
    masked[MASK] = data.draw(hnp.arrays(np.bool_, (len(every), 3)))
    assert np.array_equal(States(Record(space.leaves, 3))(masked), States(space)(every))


def test_what_lies_outside_of_a_space_has_no_number() -> None:
    with pytest.raises(UsageError, match=r"\(\[3\]\) lies outside"):
        States(Box(0, 2, (1,), np.int8))(np.array([[3]], np.int8))
    with pytest.raises(UnsupportedSpace, match="finite observations"):
        States(Box(0, 2, (1,), np.float32))


def test_a_space_of_too_many_states_for_a_number_is_refused() -> None:
    assert States(Box(0, 255, (7,), np.uint8)).count == 2**56
    with pytest.raises(UnsupportedSpace, match=r"fewer than 2\^63"):
        States(Box(0, 255, (84, 84), np.uint8))


def test_leaves_and_masks_of_a_space() -> None:
    box = Box(0, 1, (2,), np.float32)
    alone, several = Record({WHOLE: box}, 4), Record({"a": box, "b": Discrete(2)}, 4)
    assert only_leaf(box) is only_leaf(alone) is without_mask(alone) is box
    assert only_leaf(several) is None and list(leaves_of(several)) == ["a", "b"]
    assert without_mask(several) == Record({"a": box, "b": Discrete(2)})
    assert several.contains(several.sample()) and several.sample()[MASK].all()
    assert (Record({WHOLE: Box(0, 1, (3, 2), np.float32)}, 4, stack=3)).dtype == alone.dtype


@given(
    values=hnp.arrays(np.float32, (4, 3), elements=st.integers(-3, 3).map(float)),
    masks=hnp.arrays(np.bool_, (4, 3)),
    stack=st.sampled_from([1, 2]),
)
def test_a_mask_removes_what_it_forbids_and_nothing_else(values: np.ndarray, masks: np.ndarray, stack: int) -> None:
    obs = np.zeros((4, 2) if stack == 2 else 4, Record({WHOLE: Discrete(2)}, 3).dtype)
    obs[MASK] = masks[:, None] if stack == 2 else masks
    if stack == 2:
        obs[MASK][:, 0] = ~masks  # that of the older frame does not count
    assert np.array_equal(legal_actions(obs), masks)
    found = only_legal(values, obs)
    assert found.dtype == values.dtype
    assert np.array_equal(found[masks], values[masks]) and (found[~masks] == -np.inf).all()


def test_without_masks_nothing_is_copied() -> None:
    values, obs = np.zeros((2, 3)), np.zeros(2, np.int64)
    assert legal_actions(obs) is None and only_legal(values, obs) is values
