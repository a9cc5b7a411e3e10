"""What environments declare in their metadata: frame stack, mirror, limits of rewards and returns, and seeds.

What is for pictures alone, the names of actions and the board, is in `framework.environments.pictured`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gymnasium.spaces import Box

from framework.environments.edge import CHANNELS_LAST
from framework.environments.frames import stacked_space
from framework.environments.pictured import action_names_of, board_of
from framework.environments.vector import VectorEdge
from framework.errors import UsageError
from framework.spaces import only_leaf
from framework.types import Mirror, Spaces


def spaces_of(edge: VectorEdge) -> Spaces:
    """The spaces of environments that have been reset, with their frame stack and their mirror.

    Raises:
        UsageError: naming the frame stack, the padding, the mirror, the names or the board that is not supported.
    """
    metadata, frame, action = edge.env.metadata, edge.translation.frame, edge.translation.action
    k, padding = metadata.get("frame_stack", 1), metadata.get("stack_padding", "repeat")
    if not isinstance(k, int) or not 1 <= k <= 256 or (k > 1 and not isinstance(only_leaf(frame), Box)):
        raise UsageError(f"frame_stack = {k!r} is not supported: it must be 1 to 256, and more than 1 needs Box frames")
    if padding not in ("repeat", "zero"):
        raise UsageError(f"stack_padding = {padding!r} is not supported: it must be 'repeat' or 'zero'")
    leaf = only_leaf(frame)
    shape = (frame if leaf is None else leaf).shape or ()  # `or` would ask a space for its length
    return Spaces(
        observation=stacked_space(frame, k),
        action=action,
        frame=frame,
        frame_stack=k,
        stack_padding=padding,
        num_envs=edge.env.num_envs,
        mirror=_mirror_of(metadata.get("mirror"), shape, int(action.n)),
        declared=(edge.env.single_observation_space, edge.env.single_action_space),
        action_names=action_names_of(metadata, int(action.n)),
        board=board_of(metadata, frame, int(action.n)),
        channels_last=tuple(metadata.get(CHANNELS_LAST, ())),
    )


def _mirror_of(declared: Any, shape: tuple[int, ...], actions: int) -> Mirror | None:
    if declared is None:
        return None
    try:
        mirror = Mirror(int(declared["axis"]), tuple(int(action) for action in declared["actions"]))
    except (TypeError, KeyError, ValueError):
        mirror = Mirror(0, ())
    if not -len(shape) <= mirror.axis < 0 or sorted(mirror.actions) != list(range(actions)):
        raise UsageError(
            f"mirror = {declared!r} is not supported: it must be {{'axis': of the frame, from −{len(shape)} to −1, "
            f"'actions': for each of the {actions} actions, the action that the mirror shows}}"
        )
    return mirror


def highest_return_of(metadata: Mapping[str, Any]) -> float:
    """The raw return that no episode exceeds: the entry `highest_return`; ∞ if there is none.

    Raises:
        UsageError: if it is no number.
    """
    declared = metadata.get("highest_return", math.inf)
    is_number = isinstance(declared, (int, float)) and not isinstance(declared, bool)
    if not is_number or math.isnan(declared) or declared == -math.inf:
        raise UsageError(f"highest_return = {declared!r} is not supported: it must be a number")
    return float(declared)


def episodes_per_seed_of(metadata: Mapping[str, Any]) -> int:
    """At every how many episodes a reset gives an environment a seed: K, the entry `episodes_per_seed`, else 1.

    An environment may declare more than 1 if a reset with a seed is slow, and if an episode depends only on the last
    seed, the number of resets since, and its own actions: not on what was played in the episodes between.

    Raises:
        UsageError: if it is no whole number ≥ 1.
    """
    declared = metadata.get("episodes_per_seed", 1)
    if not isinstance(declared, int) or isinstance(declared, bool) or declared < 1:
        raise UsageError(f"episodes_per_seed = {declared!r} is not supported: it must be a whole number ≥ 1")
    return declared


def reward_limits_of(metadata: Mapping[str, Any]) -> tuple[tuple[float, float] | None, float]:
    """The bounds and the factor of the learner's rewards.

    Raises:
        UsageError: if they are none.
    """
    clip, scale = metadata.get("reward_clip"), metadata.get("reward_scale", 1.0)
    try:
        bounds = None if clip is None else (float(clip[0]), float(clip[1]))
        factor = float(scale)
    except (TypeError, ValueError, IndexError):
        bounds, factor = None, math.nan
    if not factor > 0 or (bounds is not None and not bounds[0] < bounds[1]):
        raise UsageError(
            f"reward_clip = {clip!r} and reward_scale = {scale!r} are not supported: they must be (low, high) and a "
            "number above 0"
        )
    return bounds, factor
