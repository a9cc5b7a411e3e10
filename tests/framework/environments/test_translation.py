"""From an environment's spaces to the engine's and back: nothing is lost, and what is not served is named."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Graph, MultiBinary, MultiDiscrete, Sequence, Text, Tuple
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.environments.leaves import leaves
from framework.environments.translation import MOST_COMBINATIONS, Translation
from framework.errors import UsageError
from framework.spaces import MASK, WHOLE, Record

shapes = hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)
leaf_spaces = st.one_of(
    st.builds(Discrete, st.integers(1, 5), start=st.integers(-3, 3)),
    st.lists(st.integers(1, 3), min_size=1, max_size=3).map(MultiDiscrete),
    st.integers(1, 3).map(MultiBinary),
    st.builds(
        lambda shape, dtype: Box(0, 100, shape, dtype), shapes, st.sampled_from([np.uint8, np.int64, np.float64])
    ),
    st.builds(lambda shape: Box(-np.inf, np.inf, shape, np.float32), shapes),
)
spaces = st.recursive(
    leaf_spaces,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(Tuple),
        st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, min_size=1, max_size=3).map(Dict),
    ),
    max_leaves=5,
)
action_spaces = st.one_of(
    st.builds(Discrete, st.integers(1, 6), start=st.integers(-3, 3)),
    st.lists(st.integers(1, 4), min_size=1, max_size=3).map(MultiDiscrete),
    st.builds(MultiDiscrete, st.just([2, 3]), start=st.just([-1, 4])),
    st.just(MultiDiscrete([[2, 1], [3, 2]])),
    st.integers(1, 4).map(MultiBinary),
)


def at(value: Any, keys: tuple[Any, ...]) -> Any:
    for key in keys:
        value = value[key]
    return value


@given(space=spaces, seed=st.integers(0, 9), masked=st.booleans())
def test_a_batch_of_observations_keeps_every_leaf(space: gymnasium.Space[Any], seed: int, masked: bool) -> None:
    space.seed(seed)
    observations = [space.sample() for _ in range(3)]
    batched = concatenate(space, observations, create_empty_array(space, 3))
    translation = Translation(space, Discrete(2), masked)
    masks = np.array([[True, False]] * 3)
    frames = translation.frames(batched, masks if masked else None)
    assert frames.shape[:1] == (3,) and frames.dtype == translation.frame.dtype
    for row, observation in enumerate(observations):
        assert np.array_equal(frames[row], translation.frame_of(observation, masks[row] if masked else None))
        for keys, leaf in leaves(space):
            name = ".".join(map(str, keys)) or WHOLE
            found = frames[name][row] if frames.dtype.names else frames[row]
            assert np.array_equal(found + getattr(leaf, "start", 0), at(observation, keys))
    assert batch_space(space, 3).contains(batched)  # what was given is unchanged


@given(space=action_spaces)
def test_actions_are_numbered_one_to_one(space: Any) -> None:
    translation = Translation(Discrete(1), space)
    count = int(translation.action.n)
    found = translation.actions(np.arange(count))
    assert all(space.contains(action if np.ndim(action) else np.int64(action)) for action in found)
    assert len({np.asarray(action).tobytes() for action in found}) == count == np.prod(sizes(space))


def sizes(space: Any) -> Any:
    return space.n if isinstance(space, Discrete) else getattr(space, "nvec", np.full(space.shape, 2))


@given(parts=st.lists(hnp.arrays(np.bool_, st.integers(1, 4)), min_size=2, max_size=3))
def test_a_mask_for_each_part_allows_the_combinations_of_allowed_values(parts: list[np.ndarray]) -> None:
    space = MultiDiscrete([len(part) for part in parts])
    translation = Translation(Discrete(1), space)
    mask = translation.mask_of(tuple(parts))
    for allowed, action in zip(mask, translation.actions(np.arange(len(mask))), strict=True):
        assert allowed == all(part[value] for part, value in zip(parts, action, strict=True))
    assert np.array_equal(translation.mask_of([part.tolist() for part in parts]), mask)
    joined = np.concatenate(parts)
    if len(joined) != len(mask):
        assert np.array_equal(translation.mask_of(mask.astype(np.int8)), mask)
        assert np.array_equal(translation.mask_of(joined), mask)
    else:
        with pytest.raises(UsageError, match="give a tuple with a mask for each part"):
            translation.mask_of(joined)


def test_a_part_of_a_dict_with_the_key_action_mask_is_the_mask() -> None:
    space = Dict({"action_mask": Box(0, 1, (3,), np.int8), "observation": Discrete(4)})
    translation = Translation(space, Discrete(3))
    frame = translation.frame_of({"action_mask": np.array([1, 0, 1]), "observation": 2})
    assert translation.masked and translation.frame == Record({"observation": Discrete(4)}, 3)
    assert frame["observation"] == 2 and frame[MASK].tolist() == [True, False, True]
    for other in (Box(0, 1, (2,), np.int8), Tuple([MultiBinary(3)])):
        with pytest.raises(UsageError, match="'action_mask' of the observations must be one array"):
            Translation(Dict({"action_mask": other}), Discrete(3))


@pytest.mark.parametrize("mask", [[1, 1], [1, 1, 2], [1, 1, 1, 1], ["a", "b", "c"], [0.5, 1, 1], None])
def test_a_mask_that_is_none_is_named(mask: Any) -> None:
    with pytest.raises(UsageError, match=r"action_mask is .* must hold 0 or 1 for each of the 3 actions"):
        Translation(Discrete(1), Discrete(3)).mask_of(mask)


@pytest.mark.parametrize(
    ("space", "name"),
    [
        (Text(5), "Text"),
        (Sequence(Discrete(2)), "Sequence"),
        (Graph(Discrete(2), None), "Graph"),
        (Dict({"a": Discrete(2), "b": Dict({"c": Text(3)})}), r"part 'b\.c'"),
        (Dict({}), "has no parts"),
        (Box(-1, 1, (0,)), "has no numbers"),
        (Dict({"a.b": Discrete(2), "a": Dict({"b": Discrete(2)})}), r"two parts .* 'a\.b'"),
    ],
)
def test_observations_that_are_not_served_are_named(space: gymnasium.Space[Any], name: str) -> None:
    with pytest.raises(UsageError, match=name):
        Translation(space, Discrete(2))


@pytest.mark.parametrize(
    ("space", "name"),
    [
        (Box(-1, 1, (2,)), r"TransformAction"),
        (Tuple([Discrete(2)]), r"must be Discrete, MultiDiscrete or MultiBinary"),
        (MultiDiscrete([MOST_COMBINATIONS, 2]), "8,192 combinations.*4,096 are the most"),
        (MultiBinary(100), r"1,267,650,600,228,229,401,496,703,205,376 combinations"),
    ],
)
def test_actions_that_are_not_served_are_named(space: gymnasium.Space[Any], name: str) -> None:
    with pytest.raises(UsageError, match=name):
        Translation(Discrete(2), space)


@pytest.mark.parametrize("space", [Discrete(3, start=1), MultiDiscrete([3, 3]), MultiBinary(2)])
def test_an_observation_outside_of_a_finite_space_is_named(space: Any) -> None:
    outside = np.full(space.shape, 9)
    with pytest.raises(UsageError, match=r"an observation is .*9.* and its observation_space says"):
        Translation(space, Discrete(2)).frame_of(outside)
