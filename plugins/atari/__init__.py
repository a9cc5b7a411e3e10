"""The games of Atari's console, one grey frame at a time, from one of two back ends that play the same game.

`atari.game` names one of 104 games. The back ends are

* `native` (`plugins.atari.native`): ALE's vector environment, which runs all emulators in C++ threads;
* `wrappers` (`plugins.atari.single`): the usual stack of gymnasium wrappers, one for each stage, which can also render.

Both emit uint8 frames of shape (size, size), one per `frame_skip` emulator frames. Rewards are raw: the points of the
game. The engine stacks frames and clips rewards; the network scales pixels.

`atari.protocol` names the rules of a paper, and sets all the options that they decide. Each of these can still be set
by itself, and the manifest holds the rules that result:

| protocol | sticky actions | actions | a lost life | no-ops at the start | run |
|---|---|---|---|---|---|
| 2015 (Mnih et al. 2015) | 0 | minimal | terminates | up to 30 | |
| 2018 (Machado et al. 2018) | 0.25 | all 18 | means nothing | none | |
| 100k (Kaiser et al. 2020) | 0 | minimal | terminates | up to 30 | 100,000 steps, then 100 games |

In training, a lost life terminates the episode of the learner, so nothing is bootstrapped across it. The game goes on:
no console is reset, and reports count whole games, with raw rewards. Evaluations play whole games, too.

All play at four frames a step, in games of at most half an hour, as Dopamine does (Machado et al.: five frames, five
minutes). The hyperparameters of a paper belong to the agent: `data_efficient,atari` with the protocol 100k is the agent
of van Hasselt et al. 2019.

| option | paper | here | why |
|---|---|---|---|
| `atari.game` | arbitrary | breakout | |
| `atari.protocol` | 2015 | 2015 | |
| `atari.actions` | minimal | minimal | |
| `atari.life_loss` | true | true | |
| `atari.backend` | arbitrary | native | |
| `atari.size` | 84 | 84 | |
| `atari.view` | screen | screen | |
| `atari.frame_skip` | 4 | 4 | |
| `atari.sticky` | 0.0 | 0.0 | |
| `atari.noop_max` | 30 | 30 | |
| `atari.fire_on_reset` | false | false | |
| `atari.clip_rewards` | true | true | |
| `atari.stack` | 4 | 4 | |
| `atari.padding` | zero | repeat | the agent never sees a black screen that the game cannot show |
| `atari.max_frames` | 18000 | 108000 | five minutes end many games early; half an hour is usual by now |
| `atari.threads` | arbitrary | 1 | |

Measured on ale-py 0.12.1, and checked by the tests:

* Both back ends show the same frames, rewards, ends and lost lives in all games, also with sticky actions.
* In some games, such as Assault and Beam Rider, a reset alone does not start the game as a console does that was just
  switched on. So every reset with a seed loads the game again, which takes 0.1 to 0.2 s.
* The last frame of an episode is correct in `wrappers` and stale in `native`, and the back ends draw the number of
  no-ops differently: see `pong`.

Scores are compared with those of a random agent and of a human (`plugins.atari.scores`) in evaluations and studies.

ale-py, which contains the emulator and the games, has the licence GPL-2.0-only. This plugin imports ale-py only when it
makes an environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from framework.config import Config, Section
from framework.conformance.check import Check, checks_in
from framework.hooks import hookimpl
from framework.types import Role
from plugins.atari.game import game_of
from plugins.atari.hooks import environments
from plugins.atari.options import AtariOptions

if TYPE_CHECKING:
    import gymnasium


RECOMMENDED: dict[str, Any] = {
    "run.num_envs": 8,
    "run.steps": 10_000_000,
    "evaluation.every": 250_000,
    "evaluation.num_envs": 10,
}
"""Values that suit every agent."""

RECOMMENDED_FOR_DQN: dict[str, Any] = {
    "returns.gamma": 0.99,
    "replay.capacity": 200_000,
    "learning.starts": 20_000,
    "learning.updates_per_step": 0.25,
    "learning.batch_size": 32,
    "target.every": 8_000,
    "target.unit": "env_steps",
    "exploration.shape": "linear",
    "exploration.start": 1.0,
    "exploration.final": 0.01,
    "exploration.horizon": 250_000,
    "exploration.unit": "env_steps",
    "dqn.learning_rate": 6.25e-5,
    "dqn.adam_epsilon": 1.5e-4,
    "dqn.hidden": 512,
    "c51.v_min": -10.0,
    "c51.v_max": 10.0,
}
"""Values for a DQN with Adam, as in Dopamine (Castro et al. 2018), with a fifth of its replay: 1.4 GB."""


@hookimpl
def families() -> Sequence[str]:
    return ["atari"]


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [AtariOptions]


@hookimpl
def recommended_values(names: Sequence[str]) -> Mapping[str, Any]:
    return {**RECOMMENDED, **RECOMMENDED_FOR_DQN} if "dqn" in names else RECOMMENDED


@hookimpl
def make_env(
    config: Config, role: Role, num_envs: int
) -> gymnasium.vector.VectorEnv[Any, Any, Any] | Callable[[], gymnasium.Env[Any, Any]]:
    return environments(game_of(config[AtariOptions]), role, num_envs)


@hookimpl
def libraries() -> Sequence[str]:
    return ["ale-py", "opencv-python-headless"]


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.atari import checks, emulator_checks

    return [*checks_in(checks), *checks_in(emulator_checks)]
