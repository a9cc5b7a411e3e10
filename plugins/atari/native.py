"""A game on ALE's vector environment: C++ threads step N emulators, and pool and resize their frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.error import AlreadyPendingCallError, NoAsyncCallError, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from jaxtyping import Bool, Float64, Int, Int64, UInt8

from framework.processes.limits import usable_cores
from framework.types import Role
from plugins.atari.description import describe, lives_end_episodes, picture
from plugins.atari.game import Game
from plugins.atari.games import screen_of

Frames = UInt8[np.ndarray, "N size size"]
Infos = dict[str, Any]
StepResult = tuple[Frames, Float64[np.ndarray, " N"], Bool[np.ndarray, " N"], Bool[np.ndarray, " N"], Infos]
NO_SEED = -1
"""ALE's value for "no seed": the emulator continues with its random generator."""


class _Emulators(AtariVectorEnv):
    """ALE's vector environment with its own metadata dict.

    ALE's constructor writes "NEXT_STEP" into the metadata. Without this dict it would write into `VectorEnv.metadata`,
    which every other vector environment of the process inherits.
    """

    metadata: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # an instance's in gymnasium's annotations


class NativeGames(VectorEnv[Frames, Int64[np.ndarray, " N"], Any]):
    """N consoles with one game that the caller resets (`AutoresetMode.DISABLED`).

    Observations are grey frames, uint8 [N, size, size]; actions are indices into the names
    `metadata["protocol"]["actions"]`, integers [N]; rewards are raw, float64 [N]. The environment
    does not write to an array again after it has returned it.

    If a lost life ends the learner's episode, `info["life_lost"]` of a step is bool [N], as `LifeLoss` defines it.
    ALE's own options are not suitable: `episodic_life` resets the whole game, and `life_loss_info` terminates in the
    same way for a lost life and for the end of the game.

    ALE itself has only automatic resets. In the mode NEXT_STEP it would reset a finished game at the next step. A
    masked reset before that step replaces the automatic one, so every step is a real step.

    `step_async` starts the emulators and returns, and `step_wait` waits for them.

    The observation of an episode's last step is stale: ALE stops before it reads that screen.

    Raises:
        gymnasium.error.ResetNeeded: step before the first full reset, or with a finished game.
        gymnasium.error.AlreadyPendingCallError: reset or step between `step_async` and `step_wait`.
        gymnasium.error.NoAsyncCallError: `step_wait` without `step_async`.
        ValueError: for actions, seeds or masks of the wrong shape or out of range.
    """

    def __init__(self, game: Game, num_envs: int, role: Role = "train") -> None:
        options = game.options
        height, self._rows = picture(options, screen_of(game.name))
        self._emulators = _Emulators(
            game.name,
            num_envs,
            batch_size=num_envs,
            num_threads=(options.threads if role == "train" else 0) or min(num_envs, usable_cores()),
            max_num_frames_per_episode=options.max_frames,
            repeat_action_probability=options.sticky,
            full_action_space=game.all_buttons,
            continuous=False,
            autoreset_mode=AutoresetMode.NEXT_STEP,
            img_height=height,
            img_width=options.size,
            grayscale=True,
            stack_num=1,
            frameskip=options.frame_skip,
            maxpool=True,
            noop_max=options.noop_max,
            episodic_life=False,
            life_loss_info=False,
            reward_clipping=False,
            use_fire_reset=options.fire_on_reset,
        )
        known = [action.name for action in self._emulators.ale.get_action_set()]
        actions = game.actions or known
        self._ale_actions = np.array([known.index(name) for name in actions], np.int64)
        self.metadata = {"autoreset_mode": AutoresetMode.DISABLED, **describe(game, role, actions)}
        self.render_mode = None
        self.num_envs = num_envs
        self.single_observation_space = gymnasium.spaces.Box(0, 255, (options.size, options.size), np.uint8)
        self.single_action_space = gymnasium.spaces.Discrete(len(self._ale_actions))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        # A reset with a seed loads the game. The seed has no effect unless the emulator draws random numbers, for
        # sticky actions or no-ops.
        self._seeded = game.loads or options.sticky > 0 or options.noop_max > 0
        self._lives = np.zeros(num_envs, np.int64) if lives_end_episodes(game, role) else None
        self._finished = np.ones(num_envs, np.bool_)
        self._started = False
        self._pending = False

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frames, Infos]:
        """Start new games: all, or those in `options["reset_mask"]`, bool [N]. The other rows do not change.

        seed: one for each of the N games, in [0, 2³¹). An int s means s, s + 1, …. None, for all games or for one,
        means that the emulator's random generator continues. Seeds of games outside the mask are ignored.
        """
        if self._pending:
            raise AlreadyPendingCallError("reset before the pending step has finished: call step_wait first", "step")
        mask = self._mask(options)
        if not self._started and not mask.all():
            raise ResetNeeded("the first reset must reset all games: call it without options['reset_mask']")
        seeds = self._seeds(seed)[mask]
        if not self._seeded:
            seeds = np.full_like(seeds, NO_SEED)
        obs, info = self._emulators.reset(seed=seeds, options={"reset_mask": mask})
        self._finished[mask] = False
        self._started = True
        if self._lives is not None:
            self._lives = info["lives"].copy()
        return obs[:, 0, self._rows], _without_lifetime(info)

    def step(self, actions: Int[np.ndarray, " N"]) -> StepResult:
        """Return (observations, rewards, terminated, truncated, infos) of one step of all games."""
        self.step_async(actions)
        return self.step_wait()

    def step_async(self, actions: Int[np.ndarray, " N"]) -> None:
        """Give the actions to the emulators and return while they work."""
        if self._pending:
            raise AlreadyPendingCallError(
                "step_async before the pending step has finished: call step_wait first", "step"
            )
        if self._finished.any():
            games = np.flatnonzero(self._finished).tolist()
            raise ResetNeeded(f"games {games} are over or have not started: reset them before the next step")
        chosen = np.asarray(actions)
        if chosen.shape != (self.num_envs,) or not np.issubdtype(chosen.dtype, np.integer):
            raise ValueError(f"actions must be {self.num_envs} integers, not {chosen.dtype} {chosen.shape}")
        # With an unknown action, ALE's step would never return.
        if chosen.min() < 0 or chosen.max() >= len(self._ale_actions):
            raise ValueError(f"actions must lie in 0…{len(self._ale_actions) - 1}, not {chosen.tolist()}")
        self._emulators.send(self._ale_actions[chosen])
        self._pending = True

    def step_wait(self) -> StepResult:
        """Wait for the step that `step_async` started, and return the same as `step`."""
        if not self._pending:
            raise NoAsyncCallError("step_wait without a pending step: call step_async first", "step")
        obs, rewards, terminated, truncated, info = self._emulators.recv()
        self._pending = False
        self._finished = terminated | truncated
        found = _without_lifetime(info)
        if self._lives is not None:
            before, self._lives = self._lives, info["lives"].copy()
            found["life_lost"] = (self._lives > 0) & (self._lives < before) & ~self._finished
        return obs[:, 0, self._rows], rewards.astype(np.float64), terminated, truncated, found

    def close_extras(self, **kwargs: Any) -> None:
        """Stop the emulators' threads."""
        if self._pending:
            self.step_wait()
        del self._emulators

    def _mask(self, options: dict[str, Any] | None) -> Bool[np.ndarray, " N"]:
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return np.ones(self.num_envs, np.bool_)
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise ValueError(f"options['reset_mask'] must be a bool array of shape ({self.num_envs},), not {mask!r}")
        if not mask.any():
            raise ValueError("options['reset_mask'] selects no game: set at least one entry to True")
        return mask

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Int[np.ndarray, " N"]:
        if seed is None:
            return np.full(self.num_envs, NO_SEED, np.int32)
        given = [seed + game for game in range(self.num_envs)] if isinstance(seed, int) else list(seed)
        if len(given) != self.num_envs:
            raise ValueError(f"got {len(given)} seeds for {self.num_envs} games: give one seed for each game")
        if any(value is not None and not 0 <= value < 2**31 for value in given):
            raise ValueError(f"seeds must lie in [0, 2³¹), not {given}")
        return np.array([NO_SEED if value is None else value for value in given], np.int32)


def _without_lifetime(info: Infos) -> Infos:
    """Return ALE's `info` without the counter that continues over episodes, so that equal games have equal infos."""
    return {key: value for key, value in info.items() if key != "frame_number"}
