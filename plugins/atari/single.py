"""One game as a stack of gymnasium wrappers on `AtariEnv`: to watch, to read and to compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ale_py
import gymnasium
import numpy as np
from ale_py.registration import rom_id_to_name
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import ResizeObservation, TimeLimit, TransformAction, TransformObservation

from framework.types import Role
from plugins.atari.description import describe, lives_end_episodes, picture
from plugins.atari.game import Game
from plugins.atari.games import screen_of
from plugins.atari.wrappers import Env, FireReset, FrameSkip, LifeLoss, NoopReset, Reset, Wrapper

gymnasium.register_envs(ale_py)
ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # otherwise each emulator prints a greeting on stderr


class SeedEmulator(Wrapper):
    """Give the emulator exactly the seed of `reset`, in [0, 2³¹), as ALE's vector environment does.

    `AtariEnv` derives another seed from it, and with sticky actions that would be another game. Without sticky
    actions the emulator does not need a seed, and this wrapper loads the game again (0.1 to 0.2 s) only if `loads` says
    so. `info` has no "frame_number", because ALE's counter continues from one episode to the next.
    """

    def __init__(self, env: Env, loads: bool) -> None:
        super().__init__(env)
        self._loads = loads

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Reset:
        if seed is not None:
            if not 0 <= seed < 2**31:
                raise ValueError(f"the seed must lie in [0, 2³¹), not {seed}")
            atari: Any = self.env.unwrapped
            if self._loads or atari.ale.getFloat("repeat_action_probability") > 0:
                atari.ale.setInt("random_seed", seed)
                atari.load_game()  # the emulator reads its seed when it loads the game
            # only gymnasium's part of the seeding: `AtariEnv.reset(seed=…)` would always load the game
            gymnasium.Env.reset(atari, seed=seed)
        obs, info = self.env.reset(options=options)
        del info["frame_number"]
        return obs, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        del info["frame_number"]
        return obs, reward, terminated, truncated, info


def game_env(game: Game, role: Role = "train", render_mode: str | None = None) -> Env:
    """Return one game for the engine, with the same frames, rewards and ends as one row of `NativeGames`.

    Observations are uint8 [size, size], actions are indices into the names `metadata["protocol"]["actions"]`, and
    rewards are raw. An episode starts as in ALE: FIRE for one frame, then no-op frames. Neither counts towards
    `max_frames`.
    """
    options = game.options
    env = emulator(game.name, options.sticky, game.all_buttons, game.loads, render_mode)
    if options.fire_on_reset:
        env = FireReset(env)
    if options.noop_max:
        env = NoopReset(env, options.noop_max)
    env = FrameSkip(TimeLimit(env, options.max_frames), options.frame_skip)
    height, rows = picture(options, screen_of(game.name))
    env = ResizeObservation(env, (height, options.size))
    if height != options.size:
        shown = Box(0, 255, (options.size, options.size), np.uint8)
        env = TransformObservation(env, lambda frame: frame[rows], shown)
    meanings: list[str] = env.unwrapped.get_action_meanings()  # type: ignore[attr-defined]  # AtariEnv's
    actions = game.actions or meanings
    env = _select_actions(env, meanings, actions)
    if lives_end_episodes(game, role):
        env = LifeLoss(env)
    # the console has 60 frames per second, and `render` shows one picture for each step
    pace = {"render_fps": max(1, round(60 / options.frame_skip))}
    env.metadata = {**env.metadata, **pace, **describe(game, role, actions)}
    return env


def emulator(name: str, sticky: float, full: bool, loads: bool, render_mode: str | None = None) -> Env:
    """Return the emulator alone: one grey frame a step, with the same seeds as ALE's vector environment.

    name: ALE's name of the game.
    full: whether it accepts all positions of the joystick, and not only those that have an effect.
    loads: whether a seeded reset always loads the game again.
    """
    env = gymnasium.make(
        f"ALE/{rom_id_to_name(name)}-v5",
        obs_type="grayscale",
        frameskip=1,
        repeat_action_probability=sticky,
        full_action_space=full,
        max_num_frames_per_episode=0,  # no limit here: it would also count the frames of a reset
        render_mode=render_mode,
        disable_env_checker=True,
    )
    return SeedEmulator(env, loads)


def _select_actions(env: Env, meanings: Sequence[str], names: Sequence[str]) -> Env:
    """Restrict the agent to these ALE actions."""
    chosen = [meanings.index(name) for name in names]
    return TransformAction(env, lambda action: chosen[action], Discrete(len(chosen)))
