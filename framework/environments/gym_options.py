"""The options of `gym:ID`, and the wrappers that they put around the environment."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import GrayscaleObservation, ResizeObservation
from pydantic import AfterValidator

from framework.config import Field, Section
from framework.environments.edge import LIFE_LOST, METHOD, is_channels_last
from framework.errors import UsageError
from framework.spaces import MASK

Env = gymnasium.Env[Any, Any]


def _recordable(arguments: dict[str, Any]) -> dict[str, Any]:
    """Refuse what the configuration file of a recorded run cannot hold."""
    for name, value in arguments.items():
        if not _is_plain(value):
            raise ValueError(f"'{name}' must be text, a finite number, true or false, or a list or table of these")
    return arguments


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(part) for key, part in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return all(map(_is_plain, value)) if isinstance(value, list) else isinstance(value, bool | int | str)


Arguments = Annotated[dict[str, Any], AfterValidator(_recordable)]
Wrapper = str | dict[str, Arguments]
"""A class by its dotted name, or {name: keyword arguments}."""


class GymOptions(Section, name="gym"):
    """How `gym:ID` makes its environment, and the wrappers around it, from the inside to the outside as listed here."""

    kwargs: Arguments = Field(
        {}, description='keyword arguments of the environment, such as {map_name = "8x8", is_slippery = false}'
    )
    time_limit: int | None = Field(
        None, ge=0, description="steps after which an episode is truncated; 0: never; not set: as it is registered"
    )
    wrappers: tuple[Wrapper, ...] = Field(
        (),
        description="wrappers by dotted name, the innermost first; with keyword arguments as a table, such as "
        '["gymnasium.wrappers.FlattenObservation", {"my_package.Shift" = {by = 2}}]',
    )
    frame_skip: int = Field(1, ge=1, description="steps for which an action is repeated; their rewards are added")
    grey: bool = Field(False, description="images without colours")
    resize: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (),
        max_length=2,
        description="height and width of images, such as [84, 84]; one number: both; empty: as they are",
    )
    frame_stack: int | None = Field(
        None, ge=1, le=256, description="frames of an observation, stacked by the engine; not set: as it declares"
    )
    reward_scale: float | None = Field(
        None, gt=0, description="factor of the learner's rewards, not of reported returns; not set: as it declares"
    )
    reward_clip: float | None = Field(
        None,
        ge=0,
        description="the learner's rewards are clipped to ± this value, after the scale; 0: no limit; not set: as it "
        "declares",
    )


def make(env_id: str, options: GymOptions, **more: Any) -> Env:
    """Make the environment with its wrappers.

    Args:
        more: keyword arguments of the environment beside those of the options, such as the render mode.

    Raises:
        UsageError: if the environment does not take an argument, or a wrapper cannot be made.
    """
    limit: dict[str, Any] = {}
    if options.time_limit is not None:
        limit["max_episode_steps"] = options.time_limit or -1
    try:
        env = gymnasium.make(env_id, **limit, **{**options.kwargs, **more})
    except Exception as error:
        named = any(f"'{name}'" in str(error) for name in more)  # such as a render mode that it does not know
        if named or not options.kwargs:
            raise
        raise UsageError(f"gym.kwargs = {options.kwargs}: {type(error).__name__}: {error}") from error
    for wrap in wrappers_of(options):
        env = wrap(env)
    env.metadata = {**env.metadata, **_declared(options, env.metadata)}
    return env


def _declared(options: GymOptions, before: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of the metadata that the options set."""
    found: dict[str, Any] = {}
    if options.frame_skip > 1:
        found["frame_skip"] = options.frame_skip * before.get("frame_skip", 1)
    if options.frame_stack is not None:
        found["frame_stack"] = options.frame_stack
    if options.reward_scale is not None:
        found["reward_scale"] = options.reward_scale
    if options.reward_clip is not None:
        found["reward_clip"] = (-options.reward_clip, options.reward_clip) if options.reward_clip else None
    return found


def wrappers_of(options: GymOptions) -> list[Callable[[Env], Env]]:
    """The wrappers that the options ask for, the innermost first.

    Raises:
        UsageError: naming a wrapper that cannot be found.
    """
    found: list[Callable[[Env], Env]] = []
    for entry in options.wrappers:
        for name, arguments in ({entry: {}} if isinstance(entry, str) else entry).items():
            found.append(partial(_wrapped, f"gym.wrappers: {name}", _wrapper_called(name), arguments))
    if options.frame_skip > 1:
        found.append(lambda env: FrameSkip(env, options.frame_skip))
    if options.grey:
        found.append(partial(_image_wrapped, "gym.grey", GrayscaleObservation))
    if options.resize:
        shape = (options.resize[0], options.resize[-1])
        found.append(partial(_image_wrapped, "gym.resize", partial(ResizeObservation, shape=shape)))
    return found


class FrameSkip(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Repeats each action for k steps, adds the rewards, and shows the last frame.

    It stops earlier where the episode ends, a life is lost, or the mask no longer allows the action. Of `info`, it
    shows that of the last step.
    """

    def __init__(self, env: Env, k: int) -> None:
        super().__init__(env)
        self._k = k
        self._masks: Any = env.get_wrapper_attr(METHOD) if env.has_wrapper_attr(METHOD) else None

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        total = 0.0
        for _ in range(self._k):
            obs, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated or info.get(LIFE_LOST) or not self._allows(action, obs, info):
                break
        return obs, total, terminated, truncated, info

    def _allows(self, action: Any, obs: Any, info: Mapping[str, Any]) -> bool:
        mask = self._masks() if self._masks is not None else info.get(MASK)
        if mask is None and isinstance(obs, Mapping):
            mask = obs.get(MASK)
        if mask is None:
            return True
        space = self.env.action_space
        if not isinstance(space, Discrete):
            return False  # the next step asks the agent again
        return bool(np.ravel(mask)[int(action) - int(space.start)])


def _wrapper_called(name: str) -> Callable[..., Env]:
    module, dot, attribute = name.replace(":", ".").rpartition(".")
    if not dot:
        raise UsageError(f"gym.wrappers: write '{name}' with its module, such as my_package.{name}")
    try:
        found: Callable[..., Env] = getattr(importlib.import_module(module), attribute)
    except AttributeError as error:
        raise UsageError(f"gym.wrappers: the module '{module}' has no '{attribute}'") from error
    except Exception as error:  # a module may raise anything when it is imported
        raise UsageError(f"gym.wrappers: '{name}' cannot be imported: {error}") from error
    if not callable(found):
        raise UsageError(f"gym.wrappers: '{name}' is a {type(found).__name__}, and must be a wrapper")
    return found


def _wrapped(name: str, wrapper: Callable[..., Env], arguments: Mapping[str, Any], env: Env) -> Env:
    try:
        wrapped = wrapper(env, **arguments)
    except Exception as error:
        raise UsageError(f"{name} cannot wrap this environment: {type(error).__name__}: {error}") from error
    if not isinstance(wrapped, gymnasium.Env):
        raise UsageError(f"{name} returned a {type(wrapped).__name__}, and must return an environment")
    return wrapped


def _image_wrapped(option: str, wrapper: Callable[[Env], Env], env: Env) -> Env:
    space = env.observation_space
    image = isinstance(space, Box) and space.dtype == np.uint8
    if (
        not image
        or len(space.shape or ()) not in (2, 3)
        or (len(space.shape or ()) == 3 and not is_channels_last(space))
    ):
        raise UsageError(
            f"{option} is for images of uint8, [height, width] or [height, width, channels] with 1, 3 or 4 channels; "
            f"observations are {space}"
        )
    return _wrapped(option, wrapper, {}, env)
