"""Atari Pong: single grey frames from one of two back ends that play the same game.

* `native` (`plugins.pong.native`): ALE's own vector environment, all emulators in C++ threads;
* `wrappers` (`plugins.pong.single`): the textbook stack, one gymnasium wrapper a step, which can also render.

Both emit uint8 frames of shape (size, size), one per `frame_skip` emulator frames, with raw rewards: +1 for
a point won, −1 for a point lost, and the episode ends at 21 points. Stacking, reward clipping and scaling
are the engine's. What the metadata's `protocol` says is everything that decides which game is played.

What was measured on ale-py 0.12.1, and is held by the tests:

* The ball is served automatically, so FIRE is not needed: a simple rule that follows the ball without it won
  21–0. It is a real control all the same: held while the ball meets the paddle, it returns the ball about
  twice as fast. UP and DOWN do nothing. So the 18 joystick positions have six effects, ALE's minimal set.
* With `sticky` and `noop_max` 0 the seed changes nothing: there is one game, decided by the actions alone.
* The last frame of an episode is right in `wrappers` and stale in `native`: ALE leaves its frame loop
  before it reads the screen. Nothing is bootstrapped from it unless the episode is cut at `max_frames`.
* `noop_max` n means 0 to n − 1 no-ops in `native` and the textbook's 1 to n in `wrappers`, from different
  generators. In everything else, sticky actions included, the same seed gives the same game in both.

ale-py, which holds the emulator, is licensed GPL-2.0-only. Nothing here imports it before an environment is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from framework.config import Config, Section
from framework.conformance.check import Check, checks_in
from framework.hooks import Bundle, hookimpl
from framework.types import Role
from plugins.pong.options import PongOptions
from plugins.pong.protocol import effective_backend

if TYPE_CHECKING:
    import gymnasium


BROUGHT_IN: dict[str, tuple[str, ...]] = {"dqn": ("nstep", "per", "mirror", "averaging"), "pqn": ("averaging",)}
"""Who learns → the plugins that help it here."""

RECOMMENDED: dict[str, Any] = {
    "run.num_envs": 8,
    "run.steps": 1_000_000,
    "run.until": 18.0,
    "evaluation.every": 10_000,
    "evaluation.num_envs": 10,
    "evaluation.confirm": 100,
}
"""What suits Pong, whoever plays."""

RECOMMENDED_FOR_DQN: dict[str, Any] = {
    "returns.gamma": 0.98,
    "replay.capacity": 30_000,
    "learning.starts": 3_000,
    "learning.updates_per_step": 0.5,
    "learning.batch_size": 64,
    "target.every": 500,
    "target.unit": "env_steps",
    "exploration.shape": "exponential",
    "exploration.start": 1.0,
    "exploration.final": 0.02,
    "exploration.horizon": 8_000,
    "exploration.unit": "env_steps",
    "dqn.learning_rate": 5e-4,
    "dqn.hidden": 256,
    "averaging.rate": 5e-4,
    "dqn.threads": 1,
    "nstep.n": 10,
}
"""What suits a small network that learns Pong on two cores, with the plugins that `bundle` brings in."""


@hookimpl
def families() -> Sequence[str]:
    return ["atari"]


@hookimpl
def bundle(names: Sequence[str]) -> Bundle:
    """What `dqn` and `pqn` learn Pong faster with; `no:nstep` and so on drop a part.

    A point is decided long before it is scored, hence n-step returns. Few transitions are near a point, hence
    prioritised replay. The court is its own mirror image. Averaged weights play steadier evaluations.
    """
    return Bundle([part for family, parts in BROUGHT_IN.items() if family in names for part in parts])


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [PongOptions]


@hookimpl
def recommended_values(names: Sequence[str]) -> Mapping[str, Any]:
    return {**RECOMMENDED, **RECOMMENDED_FOR_DQN} if "dqn" in names else RECOMMENDED


@hookimpl
def make_env(
    config: Config, role: Role, num_envs: int
) -> gymnasium.vector.VectorEnv[Any, Any, Any] | Callable[[], gymnasium.Env[Any, Any]]:
    options = config[PongOptions]
    if effective_backend(options, role) == "native":
        from plugins.pong.native import NativePong

        return NativePong(options, num_envs, role)
    from plugins.pong.single import pong_env

    return partial(pong_env, options, role=role, render_mode="rgb_array" if role == "watch" else None)


@hookimpl
def libraries() -> Sequence[str]:
    return ["ale-py", "opencv-python-headless"]


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.pong import checks, emulator_checks

    return [*checks_in(checks), *checks_in(emulator_checks)]
