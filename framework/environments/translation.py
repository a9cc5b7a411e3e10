"""From the spaces that an environment declares to those of the engine, and back: observations, masks and actions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from operator import getitem
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from jaxtyping import Bool, Int64, Shaped

from framework.environments.leaves import Keys, fitting, from_zero, leaves, name_of, of_dtype, served
from framework.errors import UsageError
from framework.spaces import MASK, WHOLE, Record, only_leaf

MOST_COMBINATIONS = 4_096
"""The most combinations of the parts of an action. Each combination is an action with a value of its own."""


class Translation:
    """What one environment declares ↔ what the engine uses.

    * Observations: see `framework.spaces`. Discrete and MultiDiscrete count from 0. In a Dict observation, a part with
      the key "action_mask" and one number for each action is the mask.
    * Actions: 0 … A − 1. The combinations of a MultiDiscrete or MultiBinary action are numbered in the order of its
      parts, the last of which changes fastest.

    Args:
        masked: whether the environment gives masks in `info`.

    Raises:
        UsageError: naming a space that is not served, and what to do.
    """

    def __init__(self, observation: gymnasium.Space[Any], action: gymnasium.Space[Any], masked: bool = False) -> None:
        self._observation, self._action = observation, action
        self._sizes = _sizes_of(action)
        self._start: Any = np.asarray(getattr(action, "start", 0))
        self.action = Discrete(math.prod(self._sizes))
        """The actions of the engine."""
        self._leaves: dict[str, tuple[Keys, gymnasium.Space[Any]]] = {}
        found: dict[str, gymnasium.Space[Any]] = {}
        for keys, leaf in leaves(observation):
            name = name_of(keys)
            if name in found:
                raise UsageError(f"two parts of the observation space are called '{name}': rename one of them")
            self._leaves[name], found[name] = (keys, leaf), served(name, leaf)
        composite = isinstance(observation, Dict | Tuple)
        self._keys_of_mask: Keys | None = None
        if composite and MASK in found and math.prod(found[MASK].shape or ()) == self.action.n:
            del found[MASK]
            self._keys_of_mask, _ = self._leaves.pop(MASK)
        if any(name.partition(".")[0] == MASK for name in found):
            raise UsageError(
                f"the part '{MASK}' of the observations must be one array with 0 or 1 for each of the {self.action.n} "
                "actions: rename it if it is something else"
            )
        self.masked = masked or self._keys_of_mask is not None
        """Whether the frames have masks."""
        if not found:
            raise UsageError(f"observation space {observation} is not supported: it has no parts")
        self.frame: gymnasium.Space[Any] = (
            Record(found, int(self.action.n) if self.masked else 0) if composite or self.masked else found[WHOLE]
        )
        """The space of one frame of the engine."""

    @property
    def shows_masks(self) -> bool:
        """Whether the mask is a part of the observation."""
        return self._keys_of_mask is not None

    def with_masks(self) -> Translation:
        """The same with a mask in every frame."""
        return self if self.masked else Translation(self._observation, self._action, True)

    def frames(self, observations: Any, masks: Bool[np.ndarray, "N A"] | None = None) -> Shaped[np.ndarray, "N *frame"]:
        """A batch of the environment's observations, copied, as frames of the engine.

        Args:
            masks: what `info` says. What the observations say themselves counts, too. Without both, every action is
                allowed.

        Raises:
            UsageError: if an observation does not fit its space, or lies outside of a finite one.
        """
        if not isinstance(self.frame, Record):
            return from_zero(self._observation, fitting(self._observation, observations, batched=True).copy())
        parts = {
            name: fitting(space, reduce(getitem, keys, observations), f"part {name} of", batched=True)
            for name, (keys, space) in self._leaves.items()
        }
        counts = set(map(len, parts.values()))
        if len(counts) > 1:
            raise UsageError(f"the parts of a batch of observations have different lengths: {sorted(counts)}")
        frames = np.empty(counts.pop(), self.frame.dtype)
        for name, (_, space) in self._leaves.items():
            frames[name] = from_zero(space, parts[name])
        if self.masked:
            frames[MASK] = True if masks is None else masks
        if self._keys_of_mask is not None:
            frames[MASK] &= np.stack([self.mask_of(one) for one in reduce(getitem, self._keys_of_mask, observations)])
        return frames

    def frame_of(self, observation: Any, mask: Any = None) -> Shaped[np.ndarray, " *frame"]:
        """One observation of the environment as a frame of the engine. See `frames` and `mask_of`."""
        batch = _batch_of_one(self._observation, observation)
        return self.frames(batch, None if mask is None else self.mask_of(mask)[None])[0]

    def observations(self, given: Any, stack: int) -> tuple[Shaped[np.ndarray, "N *obs"], bool]:
        """Observations from a loop of the user's own as what a policy sees, and whether it is a single one.

        Args:
            given: one observation of the environment; or several, along a new first axis, or in a list of Dicts or
                Tuples.
            stack: the number of frames of an observation.

        Raises:
            ValueError: if an observation does not fit.
        """
        leaf = only_leaf(self.frame)
        try:
            if isinstance(given, Mapping) and leaf is not None and stack > 1:
                frames, single = self._from_array(given[WHOLE], leaf, stack)
                if self._keys_of_mask is not None:
                    frames[MASK] = self.masks_of(given[MASK], len(frames), single)[:, None]
            elif isinstance(self._observation, Dict | Tuple):
                single = not isinstance(given, list)
                frames = np.stack([self.frame_of(one) for one in ([given] if single else given)])
            else:
                frames, single = self._from_array(given, self._observation, stack)
        except (IndexError, KeyError, TypeError, UsageError) as error:
            raise ValueError(f"observations are those of {self._observation}: {error}") from error
        return frames, single

    def masks_of(self, given: Any, count: int, single: bool) -> Bool[np.ndarray, "N A"]:
        """The masks of several observations, or of a single one.

        Raises:
            ValueError: if one does not fit or allows nothing, or there are not as many masks as observations.
        """
        try:
            masks = np.stack([self.mask_of(one) for one in ([given] if single else given)])
        except (TypeError, UsageError) as error:
            raise ValueError(str(error)) from error
        if len(masks) != count or not masks.any(axis=1).all():
            raise ValueError(f"there must be {count} masks, and each must allow an action; got {len(masks)}")
        return masks

    def _from_array(
        self, given: Any, space: gymnasium.Space[Any], stack: int
    ) -> tuple[Shaped[np.ndarray, "N *obs"], bool]:
        array = np.asarray(given)
        shape = space.shape or ()
        shape = (stack, *shape) if stack > 1 else shape
        if shape not in (array.shape, array.shape[1:]):
            raise ValueError(f"observations have shape {shape}, or (n, *{shape}) for several; got {array.shape}")
        single = array.shape == shape
        batch = from_zero(space, of_dtype(space, array[None] if single else array, "observations"))
        if not self.masked:
            return batch, single
        frames = np.empty(batch.shape[: 1 + (stack > 1)], self.frame.dtype)
        frames[WHOLE], frames[MASK] = batch, True
        return frames, single

    def actions(self, actions: Int64[np.ndarray, " N"]) -> Shaped[np.ndarray, "N *action"]:
        """Actions of the engine as actions of the environment."""
        if isinstance(self._action, Discrete):
            return actions + self._start if self._start else actions
        parts = np.stack(np.unravel_index(actions, self._sizes), axis=1).reshape(
            len(actions), *(self._action.shape or ())
        )
        return np.asarray(parts + self._start, self._action.dtype)

    def mask_of(self, given: Any) -> Bool[np.ndarray, " A"]:
        """The environment's mask of one observation as one of the engine: for each action, whether it is allowed.

        For a MultiDiscrete action, `given` is a tuple or a list with a mask for each part, these masks one after the
        other (as in sb3-contrib), or a mask of the combinations. What could be both of the latter is refused.

        Raises:
            UsageError: if the mask has another length, or other values than 0 and 1.
        """
        count, parts = int(self.action.n), len(self._sizes)
        if isinstance(given, tuple | list) and parts > 1 and tuple(map(np.size, given)) == self._sizes:
            return np.ravel(reduce(np.logical_and.outer, [self._checked(part) for part in given]))
        mask = self._checked(given)
        joined = parts > 1 and mask.size == sum(self._sizes)
        if joined and mask.size == count:
            raise UsageError(
                f"an {MASK} of {count} numbers may be one of the combinations of the parts, or of each part in turn: "
                "give a tuple with a mask for each part"
            )
        if joined:
            return self.mask_of(tuple(np.split(mask, np.cumsum(self._sizes)[:-1])))
        if mask.size != count:
            raise UsageError(f"an {MASK} is {_short(mask)}, and must hold 0 or 1 for each of the {count} actions")
        return mask

    def _checked(self, given: Any) -> Bool[np.ndarray, " L"]:
        try:
            mask = np.asarray(given)
        except ValueError:
            mask = np.asarray(None)
        if mask.dtype.kind not in "biuf" or not ((mask == 0) | (mask == 1)).all():
            count = int(self.action.n)
            raise UsageError(f"an {MASK} is {_short(mask)}, and must hold 0 or 1 for each of the {count} actions")
        return np.asarray(mask.reshape(-1), np.bool_)


def _short(mask: np.ndarray) -> str:
    return str(mask.tolist()) if mask.size <= 20 else f"of shape {mask.shape} and dtype {mask.dtype}"


def _sizes_of(action: gymnasium.Space[Any]) -> tuple[int, ...]:
    """How many values each part of an action has."""
    if isinstance(action, Discrete):
        return (int(action.n),)
    if isinstance(action, MultiDiscrete | MultiBinary):
        sizes = (
            tuple(map(int, action.nvec.flat)) if isinstance(action, MultiDiscrete) else (2,) * math.prod(action.shape)
        )
        if sizes and math.prod(sizes) <= MOST_COMBINATIONS:
            return sizes
        raise UsageError(
            f"action space {action} is not supported: it has {math.prod(sizes):,} combinations, each of which needs a "
            f"value of its own, and {MOST_COMBINATIONS:,} are the most: offer fewer actions with a plugin's env_wrapper"
        )
    continuous = " A value for each of infinitely many actions cannot be learnt: offer a choice of them, as the wrapper"
    hint = f"{continuous} gymnasium.wrappers.TransformAction can" if isinstance(action, Box) else ""
    raise UsageError(
        f"action space {action} is not supported: it must be Discrete, MultiDiscrete or MultiBinary.{hint}"
    )


def _batch_of_one(space: gymnasium.Space[Any], value: Any) -> Any:
    if isinstance(space, Dict):
        return {key: _batch_of_one(part, value[key]) for key, part in space.spaces.items()}
    if isinstance(space, Tuple):
        return tuple(_batch_of_one(part, one) for part, one in zip(space.spaces, value, strict=True))
    return np.asarray(value)[None]
