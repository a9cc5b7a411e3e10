"""The edge between one gymnasium environment and the engine: what crosses it has the types that the spaces declare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from framework.errors import UsageError

TURNED = {-3: -2, -2: -1, -1: -3}
"""The axis of an image [H, W, C] → the same axis of [C, H, W], both counted from the end."""

COLOURS = (1, 3, 4)
"""The numbers of channels of an image in gymnasium: grey, RGB, RGBA."""


class Edge(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The outermost wrapper of a single environment.

    * The environment gets its actions as Python's int.
    * An observation has the shape and the kind of dtype of its space. Images [H, W, C] of uint8 become [C, H, W],
      and the axis of a declared mirror turns with them.
    * A reward is a float. An array of one number is one number.
    * Of `info`, only `life_lost` stays: the engine reads nothing else, and gymnasium cannot batch every entry.

    Raises:
        UsageError: when it is made, if a space is not gymnasium's; later if an observation or a reward does not fit.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        for name in ("observation_space", "action_space"):
            space = getattr(env, name, None)
            if not isinstance(space, gymnasium.Space):
                kind = type(space)
                raise UsageError(f"its {name} is {kind.__module__}.{kind.__name__}, which is no gymnasium.Space")
        super().__init__(env)
        self._space = env.observation_space
        self._discrete_actions = isinstance(env.action_space, gymnasium.spaces.Discrete)
        self._channels_last = _is_channels_last(self._space)
        if self._channels_last:
            box: Any = self._space
            low, high = (np.moveaxis(bound, -1, 0) for bound in (box.low, box.high))
            self.observation_space = gymnasium.spaces.Box(low, high, dtype=np.uint8)
            self.metadata = {**env.metadata, **_turned(env.metadata.get("mirror"))}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        obs, _ = self.env.reset(seed=seed, options=options)
        return self._observed(obs), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(int(action) if self._discrete_actions else action)
        kept = {"life_lost": bool(info["life_lost"])} if "life_lost" in info else {}
        return self._observed(obs), _number(reward), bool(terminated), bool(truncated), kept

    def _observed(self, obs: Any) -> Any:
        space = self._space
        if space.shape is None or space.dtype is None:
            return obs
        array = np.asarray(obs)
        if array.shape != space.shape:
            raise UsageError(f"an observation has shape {array.shape}, and its observation_space says {space.shape}")
        if array.dtype.kind not in "biuf" or (space.dtype.kind in "iu" and array.dtype.kind == "f"):
            raise UsageError(f"an observation is {array.dtype}, and its observation_space says {space.dtype}")
        return np.moveaxis(array, -1, 0) if self._channels_last else obs


def _turned(mirror: Any) -> dict[str, Any]:
    """The entry of the metadata for a mirror whose axis turns with the image. One that is malformed stays as it is."""
    axis = mirror.get("axis") if isinstance(mirror, Mapping) else None
    return {"mirror": {**mirror, "axis": TURNED[axis]}} if isinstance(axis, int) and axis in TURNED else {}


def _number(reward: Any) -> float:
    if np.size(reward) != 1:
        raise UsageError(f"a reward has shape {np.shape(reward)}, and must be one number")
    return float(reward if np.ndim(reward) == 0 else np.asarray(reward).item())


def _is_channels_last(space: gymnasium.Space[Any]) -> bool:
    """Whether observations are images [H, W, C], as gymnasium shows them; the engine wants [C, H, W]."""
    if not isinstance(space, gymnasium.spaces.Box) or space.dtype != np.uint8 or len(space.shape) != 3:
        return False
    return space.shape[-1] in COLOURS and space.shape[0] not in COLOURS
