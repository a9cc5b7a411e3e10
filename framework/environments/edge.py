"""The edge between one gymnasium environment and the engine: what crosses it has the types that the spaces declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Tuple

from framework.environments.info import NOTHING, Wanted, crossing
from framework.environments.leaves import fitting, leaves, name_of
from framework.environments.translation import Translation
from framework.errors import UsageError
from framework.spaces import MASK

LIFE_LOST = "life_lost"
"""The key of `info` by which an environment says that a life was lost and the episode goes on."""

METHOD = "action_masks"
"""The method of an environment that gives the mask of the actions, as in sb3-contrib."""

TRANSLATED = "action_mask of the engine"
"""The key under which the edge sends a mask: one number for each action of the engine."""

CHANNELS_LAST = "channels_last"
"""The key of an edge's metadata for the names of the leaves that the environment shows as images [H, W, C]."""

TURNED = {-3: -2, -2: -1, -1: -3}
"""The axis of an image [H, W, C] → the same axis of [C, H, W], both counted from the end."""

COLOURS = (1, 3, 4)
"""The numbers of channels of an image in gymnasium: grey, RGB, RGBA."""


class Edge(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The outermost wrapper of a single environment.

    * The environment gets its actions as Python's int if they are Discrete.
    * Every part of an observation has the shape and the kind of dtype of its space. Images [H, W, C] of uint8 become
      [C, H, W], and the axis of a declared mirror turns with them.
    * A reward is a float. An array of one number is one number.
    * Of `info`, `life_lost`, the mask of the actions and the numbers that are recorded cross (see
      `framework.environments.info`): gymnasium cannot batch every info. If the environment has a method `action_masks`,
      that method gives the mask.

    Raises:
        UsageError: when it is made, if a space is not gymnasium's or not served; later if an observation, a reward or a
            number in `info` does not fit.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], wanted: Wanted = NOTHING) -> None:
        for name in ("observation_space", "action_space"):
            space = getattr(env, name, None)
            if not isinstance(space, gymnasium.Space):
                kind = type(space)
                raise UsageError(f"its {name} is {kind.__module__}.{kind.__name__}, which is no gymnasium.Space")
        super().__init__(env)
        refuse_running_statistics(env)
        self._translation = Translation(env.observation_space, env.action_space)
        self._wanted = wanted
        self._space = env.observation_space
        self._discrete_actions = isinstance(env.action_space, Discrete)
        self._masks: Any = env.get_wrapper_attr(METHOD) if env.has_wrapper_attr(METHOD) else None
        self.observation_space = _channels_first(self._space)
        if is_channels_last(self._space):
            self.metadata = {**env.metadata, **_turned(env.metadata.get("mirror"))}
        turned = [name_of(keys) for keys, leaf in leaves(self._space) if is_channels_last(leaf)]
        if turned:
            self.metadata = {**self.metadata, CHANNELS_LAST: turned}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        obs, info = self.env.reset(seed=seed, options=options)
        return _observed(self._space, obs), self._read_by_the_engine(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(int(action) if self._discrete_actions else action)
        crosses = {**crossing(info, self._wanted, bool(terminated or truncated)), **self._read_by_the_engine(info)}
        return _observed(self._space, obs), _number(reward), bool(terminated), bool(truncated), crosses

    def _read_by_the_engine(self, info: Any) -> dict[str, Any]:
        known = info if isinstance(info, Mapping) else {}
        found: dict[str, Any] = {LIFE_LOST: bool(known[LIFE_LOST])} if LIFE_LOST in known else {}
        if self._masks is not None:
            found[TRANSLATED] = self._translation.mask_of(self._asked())
        elif MASK in known:
            found[TRANSLATED] = self._translation.mask_of(known[MASK])
        return found

    def _asked(self) -> Any:
        try:
            return self._masks()
        except TypeError as error:
            raise UsageError(f"its {METHOD} must be a method without arguments: {error}") from error


REPLACEMENTS = {
    "NormalizeObservation": "add the plugin normalise",
    "NormalizeReward": "scale the rewards by the metadata's reward_scale (gym.reward_scale)",
}
"""Wrappers of gymnasium with running statistics → what to do instead."""


def refuse_running_statistics(env: Any) -> None:
    """Refuse gymnasium's wrappers with running statistics, also those of vector environments.

    Raises:
        UsageError: naming the wrapper, and what to do instead.
    """
    while env is not None:
        for kind in type(env).__mro__:
            if kind.__name__ in REPLACEMENTS and kind.__module__.startswith("gymnasium.wrappers"):
                raise UsageError(
                    f"it is wrapped in gymnasium's {kind.__name__}, whose statistics neither evaluations nor a run "
                    f"that continues would have: leave the wrapper out, and {REPLACEMENTS[kind.__name__]}"
                )
        for single in getattr(env, "envs", ()):
            refuse_running_statistics(single)
        env = getattr(env, "env", None)


def _observed(space: gymnasium.Space[Any], obs: Any, part: str = "") -> Any:
    """An observation, checked against its space, with its images turned round."""
    what = f"part {part} of an observation" if part else "an observation"
    if isinstance(space, Dict):
        if not isinstance(obs, Mapping) or not set(space.spaces) <= set(obs):
            has = f"the keys {sorted(map(str, obs))}" if isinstance(obs, Mapping) else f"the type {type(obs).__name__}"
            raise UsageError(f"{what} has {has}, and its observation_space says {list(space.spaces)}")
        return {key: _observed(one, obs[key], f"{part}[{key!r}]") for key, one in space.spaces.items()}
    if isinstance(space, Tuple):
        if not isinstance(obs, Sequence) or len(obs) != len(space.spaces):
            has = f"{len(obs)} parts" if isinstance(obs, Sequence) else f"the type {type(obs).__name__}"
            raise UsageError(f"{what} has {has}, and its observation_space says {len(space.spaces)} parts")
        return tuple(
            _observed(one, value, f"{part}[{index}]")
            for index, (one, value) in enumerate(zip(space.spaces, obs, strict=True))
        )
    array = fitting(space, obs, f"part {part} of" if part else "")
    return np.moveaxis(array, -1, 0) if is_channels_last(space) else array


def _channels_first(space: gymnasium.Space[Any]) -> gymnasium.Space[Any]:
    if isinstance(space, Dict):
        return Dict({key: _channels_first(part) for key, part in space.spaces.items()})
    if isinstance(space, Tuple):
        return Tuple([_channels_first(part) for part in space.spaces])
    if not is_channels_last(space):
        return space
    box: Any = space
    low, high = (np.moveaxis(bound, -1, 0) for bound in (box.low, box.high))
    return Box(low, high, dtype=np.uint8)


def _turned(mirror: Any) -> dict[str, Any]:
    """The entry of the metadata for a mirror whose axis turns with the image. One that is malformed stays as it is."""
    axis = mirror.get("axis") if isinstance(mirror, Mapping) else None
    return {"mirror": {**mirror, "axis": TURNED[axis]}} if isinstance(axis, int) and axis in TURNED else {}


def _number(reward: Any) -> float:
    if np.size(reward) != 1:
        raise UsageError(f"a reward has shape {np.shape(reward)}, and must be one number")
    return float(reward if np.ndim(reward) == 0 else np.asarray(reward).item())


def is_channels_last(space: gymnasium.Space[Any]) -> bool:
    """Whether observations are images [H, W, C], as gymnasium shows them; the engine wants [C, H, W]."""
    if not isinstance(space, Box) or space.dtype != np.uint8 or len(space.shape) != 3:
        return False
    return space.shape[-1] in COLOURS and space.shape[0] not in COLOURS
