"""How an agent acts in a loop of the user's own: observations and actions in the environment's form, frames kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from framework.environments.frames import FrameStack
from framework.environments.leaves import leaves, name_of
from framework.environments.translation import Translation
from framework.spaces import MASK, WHOLE, Record, only_leaf, only_legal
from framework.types import Policy, Spaces


class Actor:
    """Asks a policy for greedy actions. It keeps the frames of one episode, where observations are stacks of frames.

    `Agent.act` and `Agent.reset` document it.
    """

    def __init__(self, spaces: Spaces, policy: Policy) -> None:
        self._spaces, self._policy = spaces, policy
        observation, action = spaces.declared or (spaces.frame, spaces.action)
        masked = isinstance(spaces.frame, Record) and bool(spaces.frame.actions)
        self._translation = Translation(observation, action, masked)
        self._images = {
            keys: leaf.shape or () for keys, leaf in leaves(observation) if name_of(keys) in spaces.channels_last
        }
        self._stack = FrameStack(spaces.frame_stack, spaces.stack_padding)
        self._first = True

    def reset(self) -> None:
        """The next frame is the first of an episode."""
        self._first = True

    def act(self, obs: Any, mask: Any, info: Mapping[str, Any] | None) -> Any:
        """Return the greedy action of one observation, or an array of several: see `Agent.act`."""
        translation = self._translation
        observations, single = self._observations(self._turned(obs))
        values = only_legal(self._policy.action_values(observations, explore=False), observations)
        if mask is None and info is not None:
            mask = self._mask_in(info)
        if mask is not None:
            values = np.where(translation.masks_of(mask, len(values), single), values, -np.inf)
        chosen = translation.actions(values.argmax(axis=1))
        return chosen.tolist()[0] if single and chosen.ndim == 1 else chosen[0] if single else chosen

    def _observations(self, given: Any) -> tuple[Shaped[np.ndarray, "N *obs"], bool]:
        """What the policy sees, and whether it is a single observation."""
        leaf, k = only_leaf(self._spaces.frame), self._spaces.frame_stack
        newest: Any = given.get(WHOLE) if isinstance(given, Mapping) else given
        if k == 1 or leaf is None or np.shape(newest) != leaf.shape:
            return self._translation.observations(given, k)
        frame, _ = self._translation.observations(given, 1)
        self._stack.push(frame, np.array([self._first]))
        self._first = False
        return self._stack.observations, True

    def _mask_in(self, info: Mapping[str, Any]) -> Any:
        if MASK in info or not self._translation.masked or self._translation.shows_masks:
            return info.get(MASK)
        raise ValueError(
            f"info has no {MASK}, and the environment of the run gave masks: give the mask itself, act(obs, mask)"
        )

    def _turned(self, given: Any, keys: tuple[Any, ...] = ()) -> Any:
        """The observations with their images [H, W, C] as [C, H, W]; images that are [C, H, W] stay as they are."""
        if not self._images:
            return given
        if isinstance(given, Mapping):
            return {key: self._turned(part, (*keys, key)) for key, part in given.items()}
        if isinstance(given, list) and not keys and given and isinstance(given[0], Mapping | tuple):
            return [self._turned(one) for one in given]
        if isinstance(given, tuple):
            return tuple(self._turned(part, (*keys, index)) for index, part in enumerate(given))
        shape = self._images.get(keys)
        return given if shape is None else _channels_first(given, shape)


def _channels_first(given: Any, shape: Sequence[int]) -> Any:
    """The axis of the channels moved, if the last three axes are [H, W, C]. `shape` is [C, H, W]."""
    channels, height, width = shape
    found = np.shape(given)
    if found[-3:] != (height, width, channels) or found[-3:] == tuple(shape):
        return given
    return np.moveaxis(np.asarray(given), -1, -3)
