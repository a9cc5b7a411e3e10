"""The options of `gym:ID`, and the wrappers that they put around the environment."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import GrayscaleObservation, ResizeObservation
from pydantic import AfterValidator

from framework.config import Field, Section
from framework.errors import UsageError

Env = gymnasium.Env[Any, Any]


def _recordable(arguments: dict[str, Any]) -> dict[str, Any]:
    """Refuse what the configuration file of a recorded run cannot hold."""
    for name, value in arguments.items():
        if not _is_plain(value):
            raise ValueError(f"'{name}' must be text, a number, true or false, or a list or table of these")
    return arguments


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(part) for key, part in value.items())
    return all(map(_is_plain, value)) if isinstance(value, list) else isinstance(value, bool | int | float | str)


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
    frame_stack: int = Field(1, ge=1, le=256, description="frames of an observation, stacked by the engine")
    reward_scale: float = Field(
        1.0, gt=0, description="factor of the rewards that are learnt; reported returns are those of the environment"
    )
    reward_clip: float = Field(
        0.0, ge=0, description="the learner's rewards are clipped to ± this value, after the scale; 0: no limit"
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
    except TypeError as error:
        if not options.kwargs:
            raise
        raise UsageError(f"gym.kwargs = {options.kwargs}: {error}") from error
    for wrap in wrappers_of(options):
        env = wrap(env)
    if options.reward_clip:
        env.metadata = {**env.metadata, "reward_clip": (-options.reward_clip, options.reward_clip)}
    declared = {"frame_stack": options.frame_stack, "frame_skip": options.frame_skip}
    changed: dict[str, Any] = {name: value for name, value in declared.items() if value != 1}
    if options.reward_scale != 1:
        changed["reward_scale"] = options.reward_scale
    env.metadata = {**env.metadata, **changed}
    return env


def wrappers_of(options: GymOptions) -> list[Callable[[Env], Env]]:
    """The wrappers that the options ask for, the innermost first.

    Raises:
        UsageError: naming a wrapper that cannot be found.
    """
    found: list[Callable[[Env], Env]] = []
    for entry in options.wrappers:
        for name, arguments in ({entry: {}} if isinstance(entry, str) else entry).items():
            found.append(partial(_wrapped, name, _wrapper_called(name), arguments))
    if options.frame_skip > 1:
        found.append(lambda env: FrameSkip(env, options.frame_skip))
    if options.grey:
        found.append(partial(_image_wrapped, "gym.grey", GrayscaleObservation))
    if options.resize:
        shape = (options.resize[0], options.resize[-1])
        found.append(partial(_image_wrapped, "gym.resize", partial(ResizeObservation, shape=shape)))
    return found


class FrameSkip(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Repeats each action for k steps, or until the episode ends, and adds the rewards. It shows the last frame."""

    def __init__(self, env: Env, k: int) -> None:
        super().__init__(env)
        self._k = k

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        total = 0.0
        for _ in range(self._k):
            obs, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        return obs, total, terminated, truncated, info


def _wrapper_called(name: str) -> Callable[..., Env]:
    module, dot, attribute = name.replace(":", ".").rpartition(".")
    if not dot:
        raise UsageError(f"gym.wrappers: write '{name}' with its module, such as my_package.{name}")
    try:
        found: Callable[..., Env] = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise UsageError(f"gym.wrappers: '{name}' cannot be imported: {error}") from error
    except AttributeError as error:
        raise UsageError(f"gym.wrappers: the module '{module}' has no '{attribute}'") from error
    if not callable(found):
        raise UsageError(f"gym.wrappers: '{name}' is a {type(found).__name__}, and must be a wrapper")
    return found


def _wrapped(name: str, wrapper: Callable[..., Env], arguments: Mapping[str, Any], env: Env) -> Env:
    try:
        wrapped = wrapper(env, **arguments)
    except (TypeError, ValueError, AssertionError) as error:
        raise UsageError(f"gym.wrappers: {name} cannot wrap this environment: {error}") from error
    if not isinstance(wrapped, gymnasium.Env):
        raise UsageError(f"gym.wrappers: {name} returned a {type(wrapped).__name__}, and must return an environment")
    return wrapped


def _image_wrapped(option: str, wrapper: Callable[[Env], Env], env: Env) -> Env:
    space = env.observation_space
    if not isinstance(space, Box) or space.dtype != np.uint8 or len(space.shape) not in (2, 3):
        raise UsageError(f"{option} is for images of uint8 [height, width, channels]; observations are {space}")
    return wrapper(env)
