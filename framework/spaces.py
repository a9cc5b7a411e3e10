"""Observations of several parts, observations as numbers, and the actions that a mask allows.

The engine keeps an observation as one numpy value, so that replays, frame stacks and checkpoints need no special case:

* Box, MultiDiscrete and MultiBinary: an array. Discrete: an integer from 0.
* Tuple and Dict, nested or not: a `Record`, a structured array with one field for each leaf.
* If the environment gives action masks, the mask is one more field of the record. So it is stored with its observation,
  and whoever has an observation has its mask: a policy, an exploration, a loss (for the next observation, too).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from jaxtyping import Bool, Float, Float64, Int64, Shaped

from framework.errors import UnsupportedSpace, UsageError

MASK = "action_mask"
"""The field of a record that holds the mask, and gymnasium's key of the mask in `info`."""

WHOLE = "observation"
"""The name of the only leaf of a record whose observation is not a Tuple or a Dict."""


FINITE = "finite observations (Discrete, MultiDiscrete, MultiBinary, integers, or several of these)"


class Record(gymnasium.Space[np.ndarray]):
    """Observations with several leaves: structured arrays with a field for each leaf, and one for the mask.

    Leaves are named by the keys and indices on the way to them: "camera", "0", "robot.arm".
    """

    def __init__(self, leaves: Mapping[str, gymnasium.Space[Any]], actions: int = 0, stack: int = 1) -> None:
        """
        Args:
            leaves: name → Box, Discrete from 0, MultiDiscrete from 0 or MultiBinary. With a stack: the space of k
                stacked frames of the leaf.
            actions: the length of the mask; 0: no mask.
            stack: k, the number of frames of an observation. k > 1 makes observations of shape (k,).
        """
        self.leaves, self.actions, self.stack = dict(leaves), actions, stack
        fields: list[tuple[str, Any, tuple[int, ...]]] = []
        for name, leaf in self.leaves.items():
            assert leaf.shape is not None and leaf.dtype is not None
            fields.append((name, leaf.dtype, leaf.shape[1:] if stack > 1 else leaf.shape))
        if actions:
            fields.append((MASK, np.dtype(np.bool_), (actions,)))
        super().__init__((stack,) if stack > 1 else (), np.dtype(fields))

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> np.ndarray:
        """A random observation. Its mask allows every action."""
        record = np.zeros(self.shape or (), self.dtype)
        for name, leaf in self.leaves.items():
            record[name] = leaf.sample()
        if self.actions:
            record[MASK] = True
        return record

    def seed(self, seed: Any = None) -> Any:
        """Seed every leaf."""
        return [leaf.seed(seed) for leaf in self.leaves.values()]

    def contains(self, x: Any) -> bool:
        return isinstance(x, np.ndarray | np.void) and x.dtype == self.dtype and x.shape == self.shape

    def __repr__(self) -> str:
        return f"Record({', '.join(f'{name}: {leaf}' for name, leaf in self.leaves.items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and (self.leaves, self.actions, self.stack) == (
            other.leaves,
            other.actions,
            other.stack,
        )

    __hash__ = None  # type: ignore[assignment]


def leaves_of(space: gymnasium.Space[Any]) -> dict[str, gymnasium.Space[Any]]:
    """The leaves of an observation, by name, without the mask. A space that is no `Record` is its own leaf `WHOLE`."""
    return dict(space.leaves) if isinstance(space, Record) else {WHOLE: space}


def only_leaf(space: gymnasium.Space[Any]) -> gymnasium.Space[Any] | None:
    """The space of an observation that is not a Tuple or a Dict, whether it has a mask or not; else None."""
    leaves = leaves_of(space)
    return leaves[WHOLE] if set(leaves) == {WHOLE} else None


def without_mask(space: gymnasium.Space[Any]) -> gymnasium.Space[Any]:
    """The space of the same observations without their mask."""
    if not isinstance(space, Record) or not space.actions:
        return space
    leaf = only_leaf(space)
    return Record(space.leaves, 0, space.stack) if leaf is None else leaf


class States:
    """Numbers the observations of a finite space: `states(obs)` is int64 [N], from 0 to `states.count` − 1.

    Finite are Discrete, MultiDiscrete, MultiBinary, a Box of integers between bounds, and records of these. The mask
    of a record does not count: an observation and its mask are one state.

    Args:
        space: the space; or S, for observations that are numbers from 0 to S − 1.

    Raises:
        UnsupportedSpace: for an observation space that is not finite, or that has 2⁶³ states or more.
    """

    def __init__(self, space: gymnasium.Space[Any] | int) -> None:
        space = Discrete(space) if isinstance(space, int) else space
        self._leaves = {name: _digits(leaf) for name, leaf in leaves_of(space).items()}
        self._space = space
        self._record = isinstance(space, Record)
        self._identity = isinstance(space, Discrete)
        self._strides: dict[str, Int64[np.ndarray, " D"]] = {}
        self.count = 1
        for name, (_, sizes) in reversed(self._leaves.items()):
            strides = []
            for size in reversed(sizes):
                strides.append(self.count)
                self.count *= size
            if self.count >= 2**63:
                raise UnsupportedSpace(f"{FINITE}, and fewer than 2^63 of them")
            self._strides[name] = np.array(strides[::-1], np.int64)

    @property
    def weights(self) -> dict[str, tuple[Int64[np.ndarray, " D"], Int64[np.ndarray, " D"]]]:
        """Leaf → (lowest values, strides) of its D elements: a state's number is Σ (element − lowest) · stride."""
        return {name: (low, self._strides[name]) for name, (low, _) in self._leaves.items()}

    def __call__(self, obs: Shaped[np.ndarray, "N *obs"]) -> Int64[np.ndarray, " N"]:
        """The number of each observation.

        Raises:
            UsageError: if an observation lies outside of its space.
        """
        if self._identity:
            return obs
        numbers = np.zeros(len(obs), np.int64)
        for name, (low, sizes) in self._leaves.items():
            leaf = obs[name] if self._record else obs
            digits = leaf.reshape(len(obs), -1).astype(np.int64) - low
            outside = ((digits < 0) | (digits >= sizes)).any(axis=1)
            if outside.any():
                raise UsageError(f"an observation ({leaf[outside.argmax()].tolist()}) lies outside of its space")
            numbers += digits @ self._strides[name]
        return numbers

    def observations(self, numbers: Int64[np.ndarray, " N"]) -> Shaped[np.ndarray, "N *obs"]:
        """The observation of each number: the inverse of a call. A mask allows every action.

        Raises:
            ValueError: if a number is not one of a state.
        """
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < self.count:
            raise ValueError(f"states are numbered from 0 to {self.count - 1}")
        if self._identity:
            return numbers
        parts = {}
        for name, (low, sizes) in self._leaves.items():
            digits = numbers[:, None] // self._strides[name] % np.array(sizes) + low
            leaf = leaves_of(self._space)[name]
            parts[name] = digits.reshape(len(numbers), *(leaf.shape or ())).astype(leaf.dtype)
        if not isinstance(self._space, Record):
            return parts[WHOLE]
        records = np.zeros((len(numbers), *(self._space.shape or ())), self._space.dtype)
        for name, part in parts.items():
            records[name] = part
        if self._space.actions:
            records[MASK] = True
        return records


def _digits(space: gymnasium.Space[Any]) -> tuple[Int64[np.ndarray, " D"], tuple[int, ...]]:
    """The lowest value of each element of a leaf, and how many values it has."""
    if isinstance(space, Discrete):
        return np.zeros(1, np.int64), (int(space.n),)
    if isinstance(space, MultiDiscrete):
        return np.zeros(space.nvec.size, np.int64), tuple(map(int, space.nvec.flat))
    if isinstance(space, MultiBinary):
        count = math.prod(space.shape)
        return np.zeros(count, np.int64), (2,) * count
    if isinstance(space, Box) and space.dtype.kind in "biu":
        low, high = (bound.astype(object).reshape(-1) for bound in (space.low, space.high))
        if max(map(int, high), default=0) >= 2**63:
            raise UnsupportedSpace(f"{FINITE}, and below 2^63")
        return np.array(low, np.int64), tuple(int(most) - int(least) + 1 for least, most in zip(low, high, strict=True))
    raise UnsupportedSpace(FINITE)


def legal_actions(obs: Shaped[np.ndarray, "N *obs"]) -> Bool[np.ndarray, "N A"] | None:
    """Which actions the environment allows in each observation; None if it gives no masks.

    Where nothing is allowed, because the episode terminated there, every action counts as allowed.
    """
    if obs.dtype.names is None or MASK not in obs.dtype.names:
        return None
    masks = obs[MASK]
    return masks[:, -1] if masks.ndim == 3 else masks


def only_legal(values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"]) -> Float[np.ndarray, "N A"]:
    """The action values, −∞ for actions that are not allowed. Take every maximum, argmax and softmax of these.

    Without masks, these are the values themselves, not a copy.
    """
    legal = legal_actions(obs)
    return values if legal is None else np.where(legal, values, -np.inf).astype(values.dtype, copy=False)


def nth_legal(legal: Bool[np.ndarray, "N A"], draws: Float64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """A uniformly random allowed action for each row, from numbers of U[0, 1)."""
    allowed = legal.sum(axis=1)
    k = np.minimum(draws * allowed, allowed - 1).astype(np.int64)
    # the k-th allowed action is the first one up to which k + 1 are allowed
    return (legal.cumsum(axis=1) > k[:, None]).argmax(axis=1)
