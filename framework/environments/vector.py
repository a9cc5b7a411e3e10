"""The edge between a vector environment and the engine: beyond it are frames with masks, and actions from 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from jaxtyping import Bool, Float64, Int64, Shaped

from framework.environments.edge import METHOD, TRANSLATED, Edge, refuse_running_statistics
from framework.environments.translation import Translation
from framework.errors import FrameworkError, UsageError
from framework.spaces import MASK, legal_actions

NOTHING_ALLOWED = (
    f"an {MASK} allows no action where the episode has not terminated: allow one, or terminate the episode"
)

Result = tuple[
    Shaped[np.ndarray, "N *frame"],
    Float64[np.ndarray, " N"],
    Bool[np.ndarray, " N"],
    Bool[np.ndarray, " N"],
    Mapping[str, Any],
]
"""frames, rewards, terminated, truncated, info"""


class VectorEdge:
    """N environments whose observations are frames and whose actions count from 0. Every array is the caller's own.

    The first reset shows whether `info` has masks. Each later reset and step must then have one for every environment
    that can act.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        refuse_running_statistics(env)
        for single in getattr(env, "envs", ()):
            if not isinstance(single, Edge) and single.has_wrapper_attr(METHOD):
                raise UsageError(
                    f"its environments have a method {METHOD}, which a vector environment does not pass on: give the "
                    f"masks in info['{MASK}'], or return single environments"
                )
        self.env = env
        self.mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self.translation = Translation(env.single_observation_space, env.single_action_space)
        self._given_masks: Bool[np.ndarray, "N A"] | None = None
        self._started = False
        self._actions: Any = None

    def reset(
        self, seeds: Sequence[int | None], which: Bool[np.ndarray, " N"] | None = None
    ) -> Shaped[np.ndarray, "N *frame"]:
        """Start episodes, and return the frames of all environments.

        Args:
            seeds: one for each environment. Environments that reset themselves may take the first one only. None: the
                environment's random generator continues.
            which: the environments that start; None: all.
        """
        given: Any = list(seeds)
        if which is not None:
            observations, info = self.env.reset(seed=given, options={"reset_mask": which})
        else:
            try:
                observations, info = self.env.reset(seed=given)
            except (TypeError, ValueError, gymnasium.error.Error):
                # some vector environments take a single seed; that is enough only if they reset episodes themselves
                if self.mode is AutoresetMode.DISABLED:
                    raise
                observations, info = self.env.reset(seed=given[0])
        started = np.ones(self.env.num_envs, np.bool_) if which is None else which
        if not self._started and self._masks_in(info) is not None:
            self.translation = self.translation.with_masks()
            self._given_masks = np.ones((self.env.num_envs, int(self.translation.action.n)), np.bool_)
        self._started = True
        return self._frames(observations, info, started, np.zeros_like(started))

    def send(self, actions: Int64[np.ndarray, " N"]) -> None:
        """Start a step."""
        self._actions = self.translation.actions(actions)
        if hasattr(self.env, "step_async"):
            self.env.step_async(self._actions)

    def receive(self) -> Result:
        """Wait for the step that `send` started."""
        if hasattr(self.env, "step_async"):
            results = self.env.step_wait()  # type: ignore[attr-defined]
        else:
            results = self.env.step(self._actions)
        observations, rewards, terminated, truncated, info = results
        terminated, truncated = np.array(terminated, np.bool_), np.array(truncated, np.bool_)
        everywhere = np.ones(self.env.num_envs, np.bool_)
        over = terminated if self.mode is not AutoresetMode.SAME_STEP else ~everywhere
        frames = self._frames(observations, info, everywhere, over)
        return frames, np.array(rewards, np.float64), terminated, truncated, info

    def final_frame(self, info: Mapping[str, Any], env_id: int, terminated: bool) -> Shaped[np.ndarray, " *frame"]:
        """The last frame of an episode, from the `info` of environments that reset themselves in the same step.

        Raises:
            UsageError: if `info` has none.
        """
        if "final_obs" not in info:
            raise UsageError(
                "the environments declare the autoreset mode SAME_STEP, and their info has no 'final_obs' where an "
                "episode ends: declare the mode that they have, or give gymnasium's final_obs"
            )
        frame = self.translation.frame_of(info["final_obs"][env_id])
        if not self.translation.masked:
            return frame
        if terminated:
            frame[MASK] = True
        elif self._given_masks is not None:
            mask = self._mask_of(info.get("final_info", {}), env_id)
            if mask is None:
                raise UsageError(f"final_info has no {MASK} where an episode was truncated: give one with every info")
            frame[MASK] &= mask
        if not frame[MASK].any():
            raise UsageError(NOTHING_ALLOWED)
        return frame

    def _frames(
        self, observations: Any, info: Mapping[str, Any], fresh: Bool[np.ndarray, " N"], over: Bool[np.ndarray, " N"]
    ) -> Shaped[np.ndarray, "N *frame"]:
        """
        Args:
            fresh: the environments whose observation is new: their masks are, too.
            over: the environments where no action follows, so that all may be forbidden.
        """
        if self._given_masks is not None:
            self._update_masks(info, fresh, over)
        elif self._masks_in(info) is not None and not self.translation.masked:
            raise UsageError(f"info has an {MASK} now, and had none after the first reset: give one with every info")
        frames = self.translation.frames(observations, self._given_masks)
        if self.translation.masked:
            legal = frames[MASK]
            legal[over] = True
            if not legal.any(axis=1).all():
                raise UsageError(NOTHING_ALLOWED)
        return frames

    def _masks_in(self, info: Mapping[str, Any]) -> Any:
        """The masks of an edge or of a vector environment; None if there are none."""
        return info.get(TRANSLATED, info.get(MASK))

    def _mask_of(self, info: Mapping[str, Any], env_id: int) -> Bool[np.ndarray, " A"] | None:
        """The mask of one environment; None if it gave none."""
        masks = self._masks_in(info)
        key = TRANSLATED if TRANSLATED in info else MASK
        if masks is None or not info.get(f"_{key}", np.ones(self.env.num_envs, np.bool_))[env_id]:
            return None
        if len(masks) != self.env.num_envs:
            raise UsageError(f"info has {len(masks)} masks for {self.env.num_envs} environments")
        return np.asarray(masks[env_id]) if key == TRANSLATED else self.translation.mask_of(masks[env_id])

    def _update_masks(
        self, info: Mapping[str, Any], fresh: Bool[np.ndarray, " N"], over: Bool[np.ndarray, " N"]
    ) -> None:
        assert self._given_masks is not None
        for env_id in np.flatnonzero(fresh).tolist():
            mask = self._mask_of(info, env_id)
            if mask is None and not over[env_id]:
                raise UsageError(f"info has no {MASK}, and had one after the first reset: give one with every info")
            self._given_masks[env_id] = True if mask is None else mask


def legal_or_named(actions: Int64[np.ndarray, " N"], observations: Shaped[np.ndarray, "N *obs"]) -> None:
    """Refuse actions that the masks forbid.

    Raises:
        FrameworkError: naming the first of them.
    """
    legal = legal_actions(observations)
    if legal is None:
        return
    wrong = np.flatnonzero(~legal[np.arange(len(actions)), actions])
    if len(wrong):
        allowed = np.flatnonzero(legal[wrong[0]]).tolist()
        raise FrameworkError(
            f"action {actions[wrong[0]]} was chosen in environment {wrong[0]}, whose {MASK} allows {allowed}: the "
            "exploration must choose among framework.spaces.legal_actions(obs)"
        )
