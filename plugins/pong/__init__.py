"""Atari Pong: a preset of `atari` with smaller pictures, three actions, a mirror and values to learn by.

The stack of `atari` plays it, with the back ends `native` and `wrappers`. Rewards are raw: +1 for a point won, −1 for a
point lost. The episode ends at 21 points. The metadata's `protocol` lists every setting that decides which game is
played.

Measured on ale-py 0.12.1, and checked by the tests:

* The game serves the ball automatically, so FIRE is not needed: a simple rule that follows the ball without FIRE won
  21–0. But FIRE has an effect: if it is held while the ball meets the paddle, the ball returns about twice as fast.
  UP and DOWN have no effect. So the 18 joystick positions have six different effects, those of ALE's minimal set.
* With `sticky` and `noop_max` 0 the seed has no effect: the actions alone decide the game.
* The last frame of an episode is correct in `wrappers` and stale in `native`: ALE leaves its frame loop before it
  reads the screen. The agent bootstraps from this frame only if the episode is truncated at `max_frames`.
* `noop_max` = n means 0 to n − 1 no-ops in `native` and 1 to n, as in the literature, in `wrappers`. The two use
  different random generators. Apart from that, the same seed gives the same game in both, also with sticky actions.

ale-py, which contains the emulator, has the licence GPL-2.0-only. This plugin imports ale-py only when it makes an
environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from framework.config import Config, Section
from framework.conformance.check import Check, checks_in
from framework.hooks import Bundle, hookimpl
from framework.types import Role
from plugins.atari.hooks import environments
from plugins.pong.options import PongOptions
from plugins.pong.protocol import pong

if TYPE_CHECKING:
    import gymnasium


RECOMMENDED: dict[str, Any] = {
    "run.num_envs": 8,
    "run.steps": 1_000_000,
    "run.until": 18.0,
    "evaluation.every": 10_000,
    "evaluation.lag": 5_000,
    "evaluation.first": 3,
    "evaluation.num_envs": 20,
    "evaluation.groups": 2,
    "evaluation.confirm": 100,
}
"""Values that suit every agent on Pong."""

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
"""Values that suit a small network that learns Pong on two cores, with the plugins that `bundle` adds."""

RECOMMENDED_FOR_PQN: dict[str, Any] = {
    "run.num_envs": 32,
    "run.planned": 400_000,  # for the learning rate, which falls to a tenth
    "evaluation.every": 40_000,
    "evaluation.lag": 20_000,
    "evaluation.first": 2,
    "returns.gamma": 0.98,
    "pqn.rollout": 32,
    "pqn.epochs": 4,
    "pqn.minibatches": 16,
    "pqn.lam": 0.9,
    "pqn.overlap": True,
    "exploration.shape": "exponential",
    "exploration.start": 1.0,
    "exploration.final": 0.02,
    "exploration.horizon": 20_000,
    "exploration.unit": "env_steps",
    "dqn.learning_rate": 5e-4,
    "dqn.learning_rate_left": 0.1,
    "dqn.hidden": 256,
    "averaging.rate": 5e-4,
    "dqn.threads": 1,
}
"""The same for `pqn`: the emulators run on one core while the other learns."""


@hookimpl
def families() -> Sequence[str]:
    return ["atari"]


@hookimpl
def bundle(names: Sequence[str], plugins: Sequence[str]) -> Bundle:
    """Add plugins with which an agent of dqn's family learns Pong faster; `no:mirror`, for example, drops one.

    Actions decide a point long before it is scored: n-step returns help. Few transitions are near a point: prioritised
    replay helps. The court is its own mirror image: mirrored transitions help. Averaged weights make evaluations
    steadier. The first two are for a `dqn` that the user named, the others for every agent of dqn's family.

    A composition without an agent gets `pqn`, so that `pong` alone learns.
    """
    added = ["nstep", "per"] if "dqn" in names else []
    added += ["mirror", "averaging"] if "dqn" in plugins else []
    return Bundle(added, agent="pqn")


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [PongOptions]


@hookimpl
def recommended_values(names: Sequence[str]) -> Mapping[str, Any]:
    if "pqn" in names:
        return {**RECOMMENDED, **RECOMMENDED_FOR_PQN}
    return {**RECOMMENDED, **RECOMMENDED_FOR_DQN} if "dqn" in names else RECOMMENDED


@hookimpl
def make_env(
    config: Config, role: Role, num_envs: int
) -> gymnasium.vector.VectorEnv[Any, Any, Any] | Callable[[], gymnasium.Env[Any, Any]]:
    return environments(pong(config[PongOptions]), role, num_envs)


@hookimpl
def libraries() -> Sequence[str]:
    return ["ale-py", "opencv-python-headless"]


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.atari import checks
    from plugins.pong import emulator_checks

    return [*checks_in(checks), *checks_in(emulator_checks)]
