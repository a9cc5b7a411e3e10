"""The usual preprocessing of Atari games, one gymnasium wrapper for each stage.

The wrappers do not depend on the engine and work with any game of `AtariEnv`; `plugins.atari.single` combines them.
Three stages are gymnasium's own wrappers: `ResizeObservation` (OpenCV's area interpolation), `TransformAction` and
`TimeLimit`. Three other wrappers of gymnasium are not suitable:

* `MaxAndSkipObservation`: stale or zero frames when an episode ends inside a skip;
* `FrameStackObservation`: stacks on a new axis instead of the channels;
* `RescaleObservation`: converts the scaled pixels of uint8 frames to uint8 again, nearly all 0.

Frames are uint8, [H, W] for a grey screen, until `ScaleToUnit`.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Literal, TypeAlias

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from jaxtyping import Float32, Shaped

Frame: TypeAlias = Shaped[np.ndarray, "*frame"]
Env: TypeAlias = gymnasium.Env[Any, Any]
Wrapper: TypeAlias = gymnasium.Wrapper[Any, Any, Any, Any]
ObservationWrapper: TypeAlias = gymnasium.ObservationWrapper[Any, Any, Any]
Reset: TypeAlias = tuple[Any, dict[str, Any]]


class StartWith(Wrapper):
    """Take `number()` steps with one action, given by its ALE name, at the start of each episode.

    It has no effect on games without this action. If the episode ends during these steps, a new one starts.
    """

    def __init__(self, env: Env, action: str) -> None:
        super().__init__(env)
        meanings: list[str] = env.unwrapped.get_action_meanings()  # type: ignore[attr-defined]  # AtariEnv's
        self._action = meanings.index(action) if action in meanings else None

    def number(self) -> int:
        """Return the number of steps at the start of this episode."""
        return 1

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        obs, info = self.env.reset(seed=seed, options=options)
        if self._action is not None:
            for _ in range(self.number()):
                obs, _, terminated, truncated, info = self.env.step(self._action)
                if terminated or truncated:
                    obs, info = self.env.reset(options=options)
        return obs, info


class FireReset(StartWith):
    """Press FIRE once at the start of each episode. It has no effect on games without the action FIRE."""

    def __init__(self, env: Env) -> None:
        super().__init__(env, "FIRE")


class NoopReset(StartWith):
    """Start each episode with 1 to `most` no-ops, a number drawn from the environment's random generator."""

    def __init__(self, env: Env, most: int) -> None:
        super().__init__(env, "NOOP")
        if most < 1 or self._action is None:
            raise ValueError(f"NoopReset needs a NOOP action and at least one no-op, not {most}")
        self._most = most

    def number(self) -> int:
        return int(self.np_random.integers(1, self._most + 1))


class FrameSkip(Wrapper):
    """Repeat each action for `skip` frames. The observation is the maximum of the last two frames at each pixel.

    The maximum is needed because Atari draws some objects only in every other frame. Rewards are summed. If an episode
    ends inside a skip, the last two frames before the end are used, or one frame if there is only one.
    """

    def __init__(self, env: Env, skip: int) -> None:
        super().__init__(env)
        if skip < 1:
            raise ValueError(f"skip must be at least one frame, not {skip}")
        self._skip = skip

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        total = 0.0
        frames: deque[Frame] = deque(maxlen=2)
        for _ in range(self._skip):
            obs, reward, terminated, truncated, info = self.env.step(action)
            frames.append(np.array(obs))  # a copy: the environment may use the array again
            total += float(reward)
            if terminated or truncated:
                break
        return np.maximum(frames[0], frames[-1]), total, terminated, truncated and not terminated, info


class LifeLoss(Wrapper):
    """Report in `info["life_lost"]` whether a step lost a life while the game goes on.

    The wrapper ends no episode: the engine terminates the learner's episode, and the game goes on from where it is.
    Some games show no lives for a few frames before they end. Those frames are not a lost life but part of the end.
    """

    _lives = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        obs, info = self.env.reset(seed=seed, options=options)
        self._lives = info["lives"]
        return obs, info

    def step(self, action: Any) -> tuple[Frame, Any, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        before, self._lives = self._lives, info["lives"]
        lost = 0 < self._lives < before and not (terminated or truncated)
        return obs, reward, terminated, truncated, {**info, "life_lost": lost}


class ChannelFirst(ObservationWrapper):
    """Images as tensors: [H, W] → [1, H, W] and [H, W, C] → [C, H, W]."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        space = _box(env)
        if len(space.shape) not in (2, 3):
            raise ValueError(f"an image must have the shape [H, W] or [H, W, C], not {space.shape}")
        self.observation_space = Box(self.observation(space.low), self.observation(space.high), dtype=np.uint8)

    def observation(self, observation: Frame) -> Frame:
        return observation[None] if observation.ndim == 2 else np.moveaxis(observation, -1, 0)


class StackFrames(Wrapper):
    """The last k frames [C, H, W] as one observation [k·C, H, W], oldest first; a new array at each step.

    padding: what fills the stack before an episode's first frame: "repeat" (that frame) or "zero".
    """

    def __init__(self, env: Env, k: int, padding: Literal["repeat", "zero"] = "repeat") -> None:
        super().__init__(env)
        space = _box(env)
        self._k, self._padding = k, padding
        self._frames: deque[Frame] = deque(maxlen=k)
        low = np.concatenate([space.low] * k)
        self.observation_space = Box(
            np.minimum(low, 0) if padding == "zero" else low, np.concatenate([space.high] * k), dtype=np.uint8
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        obs, info = self.env.reset(seed=seed, options=options)
        before = np.zeros_like(obs) if self._padding == "zero" else np.array(obs)
        self._frames.extend([before] * (self._k - 1) + [np.array(obs)])
        return np.concatenate(self._frames), info

    def step(self, action: Any) -> tuple[Frame, Any, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._frames.append(np.array(obs))
        return np.concatenate(self._frames), reward, terminated, truncated, info


class ScaleToUnit(ObservationWrapper):
    """uint8 pixels to float32 in [0, 1], of the same shape."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.observation_space = Box(0.0, 1.0, _box(env).shape, np.float32)

    def observation(self, observation: Frame) -> Float32[np.ndarray, "*frame"]:
        return observation.astype(np.float32) / np.float32(255)


def _box(env: Env) -> Box:
    space = env.observation_space
    if not isinstance(space, Box) or space.dtype != np.uint8:
        raise TypeError(f"this wrapper needs uint8 images, not {space}")
    return space
