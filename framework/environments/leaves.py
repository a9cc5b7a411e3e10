"""The leaves of an observation: which spaces are served, and numbers that fit them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from jaxtyping import Shaped

from framework.errors import UsageError
from framework.spaces import WHOLE

Keys = tuple[Any, ...]
"""The keys and indices on the way from a nested observation to one of its leaves."""


def leaves(space: gymnasium.Space[Any], keys: Keys = ()) -> Iterator[tuple[Keys, gymnasium.Space[Any]]]:
    """The leaves of an observation space: the way to each, and its space."""
    if isinstance(space, Dict | Tuple):
        for key, part in space.spaces.items() if isinstance(space, Dict) else enumerate(space.spaces):
            yield from leaves(part, (*keys, key))
    else:
        yield keys, space


def name_of(keys: Keys) -> str:
    """The name of a leaf: "camera", "robot.arm"; `WHOLE` where the observation is the only leaf."""
    return ".".join(map(str, keys)) or WHOLE


def fitting(
    space: gymnasium.Space[Any], value: Any, what: str = "", batched: bool = False
) -> Shaped[np.ndarray, "*batch *leaf"]:
    """A leaf of an observation as an array of its space's shape and dtype.

    Args:
        what: what the error calls it, such as "part x of".
        batched: whether it is a batch, with one more axis before the leaf's.

    Raises:
        UsageError: if its shape differs, or its numbers do not fit the dtype.
    """
    what = f"{what} an observation".strip()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # a ragged list, or a tensor with a gradient
        raise UsageError(f"{what} is no array of numbers: {error}") from error
    shape = array.shape[1:] if batched else array.shape
    if shape != space.shape or (batched and array.ndim == 0):
        raise UsageError(f"{what} has shape {shape}, and its observation_space says {space.shape}")
    return of_dtype(space, array, what)


def of_dtype(space: gymnasium.Space[Any], array: np.ndarray, what: str) -> np.ndarray:
    """The array in the dtype of its space, if no number changes.

    Args:
        what: what the array is, for the message of a `UsageError`.
    """
    assert space.dtype is not None
    dtype = np.dtype(space.dtype)
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in "biuf" or (dtype.kind in "biu" and array.dtype.kind == "f"):
        raise UsageError(f"{what} is {array.dtype}, and its observation_space says {dtype}")
    converted = array.astype(dtype)
    if dtype.kind in "biu" and not (converted == array).all():
        wrong = array[converted != array].flat[0]
        raise UsageError(f"{what} holds {wrong}, and its observation_space says {dtype}")
    return converted


def served(name: str, leaf: gymnasium.Space[Any]) -> gymnasium.Space[Any]:
    """The space of a leaf in the engine."""
    if isinstance(leaf, Discrete):
        return Discrete(int(leaf.n))
    if isinstance(leaf, MultiDiscrete):
        return MultiDiscrete(leaf.nvec, dtype=leaf.dtype.type)
    if isinstance(leaf, Box) and 0 in leaf.shape:
        raise UsageError(f"observation space {leaf}{_where(name)} is not supported: it has no numbers")
    if isinstance(leaf, Box) and leaf.dtype.kind in "biuf" and leaf.dtype.itemsize <= 8:
        native = leaf.dtype.newbyteorder("=")
        return leaf if native == leaf.dtype else Box(leaf.low, leaf.high, dtype=native.type)
    if isinstance(leaf, MultiBinary):
        return leaf
    raise UsageError(
        f"observation space {leaf}{_where(name)} is not supported: it must be a Box of numbers, Discrete, "
        "MultiDiscrete or MultiBinary, or a Tuple or Dict of these. A plugin with env_wrapper can turn it into one: a "
        "text, for example, into numbers of a fixed length"
    )


def _where(name: str) -> str:
    return "" if name == WHOLE else f" (its part '{name}')"


def from_zero(space: gymnasium.Space[Any], values: np.ndarray) -> np.ndarray:
    """The values of one leaf, counted from 0 where they are finite."""
    if isinstance(space, Box):
        return values
    numbers = values - space.start if isinstance(space, Discrete | MultiDiscrete) else values
    sizes: Any = space.n if isinstance(space, Discrete) else getattr(space, "nvec", 2)
    if (numbers < 0).any() or (numbers >= sizes).any():
        raise UsageError(f"an observation is {values.tolist()}, and its observation_space says {space}")
    return numbers
