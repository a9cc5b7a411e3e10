"""Each option of each shipped plugin has its effect on a run, or has none where that is its promise."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import envs
import framework.options  # noqa: F401 - the engine's sections
import plugins
from framework.assembly.assemble import assemble
from framework.config import Section
from framework.conformance.fixtures.snapshots import digest
from framework.events import Callback, Episode, EvaluationResult
from framework.training.loop import Loop
from framework.types import Batch, Counters, Step, TDErrors

BASE: Mapping[str, Any] = {
    "run.steps": 120,
    "run.num_envs": 2,
    "evaluation.every": 0,
    "exploration.start": 1.0,
    "exploration.final": 0.2,
    "exploration.horizon": 60,
    "learning.batch_size": 8,
    "learning.starts": 20,
    "learning.updates_per_step": 0.5,
    "replay.capacity": 2_000,
    "target.every": 20,
    "target.unit": "env_steps",
}
EVALUATED = {"evaluation.every": 60, "evaluation.episodes": 2}
EMULATOR = {"run.steps": 48, "learning.starts": 16, "learning.batch_size": 2, "learning.updates_per_step": 0.1}
LONG_EMULATOR = {**EMULATOR, "run.steps": 160, "atari.frame_skip": 16}
PQN = {"run.steps": 128, "run.num_envs": 4}

Case = tuple[str, Mapping[str, Any], Any]
"""The composition, values of both runs, and the other value of the option."""

NETWORK = "dqn,chain"
LARGE_REWARDS = {"chain.rewards": [0.0, 0.0, 0.0, 0.0, 50.0], "chain.max_steps": 20}
WITH_EFFECT: Mapping[str, Case] = {
    "atari.game": ("dqn,atari", EMULATOR, "pong"),
    "atari.protocol": ("dqn,atari", EMULATOR, "2018"),
    "atari.actions": ("dqn,atari", EMULATOR, "full"),
    "atari.life_loss": ("dqn,atari", {**LONG_EMULATOR, "atari.fire_on_reset": True}, False),
    "atari.size": ("dqn,atari", EMULATOR, 42),
    "atari.view": ("dqn,atari", {**EMULATOR, "atari.game": "pong"}, "court"),
    "atari.frame_skip": ("dqn,atari", EMULATOR, 2),
    "atari.sticky": ("dqn,atari", EMULATOR, 0.5),
    "atari.noop_max": ("dqn,atari", EMULATOR, 0),
    "atari.fire_on_reset": ("dqn,atari", EMULATOR, True),
    "atari.clip_rewards": ("dqn,atari", {**LONG_EMULATOR, "atari.game": "space_invaders"}, False),
    "atari.stack": ("dqn,atari", EMULATOR, 2),
    "atari.padding": ("dqn,atari", EMULATOR, "zero"),
    "atari.max_frames": ("dqn,atari", EMULATOR, 40),
    "averaging.rate": ("dqn,averaging,chain", {}, 0.1),
    "boltzmann.temperature": ("dqn,boltzmann,chain", {}, 5.0),
    "c51.atoms": ("dqn,c51,chain", {}, 21),
    "c51.v_min": ("dqn,c51,chain", {}, -5.0),
    "c51.v_max": ("dqn,c51,chain", {}, 5.0),
    "chain.length": (NETWORK, {}, 7),
    "chain.rewards": (NETWORK, {}, [0.0, 0.0, 0.0, 0.0, 5.0]),
    "chain.max_steps": (NETWORK, {}, 5),
    "dqn.hidden": ("dqn,minatar", {}, 16),
    "dqn.mlp": ("dqn,cartpole", {}, [8]),
    "dqn.loss": (NETWORK, LARGE_REWARDS, "squared"),
    "dqn.optimizer": (NETWORK, {}, "rmsprop"),
    "dqn.learning_rate": (NETWORK, {}, 0.02),
    "dqn.learning_rate_left": (NETWORK, {}, 0.0),
    "dqn.adam_epsilon": (NETWORK, {}, 0.01),
    "dqn.weight_decay": (NETWORK, {"dqn.optimizer": "adamw"}, 0.0),
    "dqn.rmsprop_decay": (NETWORK, {"dqn.optimizer": "rmsprop"}, 0.5),
    "dqn.rmsprop_epsilon": (NETWORK, {"dqn.optimizer": "rmsprop"}, 0.1),
    "dqn.max_grad_norm": (NETWORK, {"dqn.max_grad_norm": 0.001}, 0.0),
    "dqn.precision": (NETWORK, {"dqn.precision": "float32"}, "bfloat16"),
    "evaluation.every": (NETWORK, EVALUATED, 40),
    "evaluation.episodes": (NETWORK, EVALUATED, 3),
    "evaluation.first": (NETWORK, {**EVALUATED, "run.until": 1e6}, 1),
    "evaluation.confirm": (NETWORK, {**EVALUATED, "run.until": -1e6}, 3),
    "evaluation.epsilon": (NETWORK, EVALUATED, 1.0),
    "evaluation.max_steps": (NETWORK, EVALUATED, 1),
    "exploration.start": (NETWORK, {}, 0.5),
    "exploration.final": (NETWORK, {}, 0.9),
    "exploration.shape": (NETWORK, {}, "exponential"),
    "exploration.horizon": (NETWORK, {}, 10),
    "exploration.unit": (NETWORK, {}, "episodes"),
    "exploration.share": (NETWORK, {}, 0.1),
    "ez_greedy.power": ("dqn,ez_greedy,chain", {}, 0.5),
    "ez_greedy.longest": ("dqn,ez_greedy,chain", {"ez_greedy.power": 0.1}, 2),
    "grid.layout": ("tabular,grid", {}, ["..G", "S.."]),
    "grid.step_reward": ("tabular,grid", {}, -0.1),
    "grid.slip": ("tabular,grid", {}, 0.5),
    "grid.max_steps": ("tabular,grid", {}, 4),
    "gym.kwargs": ("dqn,gym:CartPole-v1", {}, {"sutton_barto_reward": True}),
    "gym.time_limit": ("dqn,gym:CartPole-v1", {}, 5),
    "gym.wrappers": ("dqn,gym:CartPole-v1", {}, [{"gymnasium.wrappers.ClipReward": {"max_reward": 0.5}}]),
    "gym.frame_skip": ("dqn,gym:CartPole-v1", {}, 2),
    "gym.grey": ("dqn,gym:ALE/Pong-v5", EMULATOR, True),
    "gym.resize": ("dqn,gym:ALE/Pong-v5", EMULATOR, [84, 84]),
    "gym.frame_stack": ("dqn,gym:CartPole-v1", {}, 2),
    "gym.reward_scale": ("dqn,gym:CartPole-v1", {}, 0.1),
    "gym.reward_clip": ("dqn,gym:CartPole-v1", {}, 0.5),
    "impala.width": ("dqn,impala,minatar", {"run.steps": 40}, 2),
    "impala.pool": ("dqn,impala,minatar", {"run.steps": 40}, 1),
    "iqn.samples": ("dqn,iqn,chain", {}, 4),
    "iqn.policy_samples": ("dqn,iqn,chain", {}, 4),
    "iqn.even": ("dqn,iqn,chain", EVALUATED, 4),
    "iqn.cosines": ("dqn,iqn,chain", {}, 16),
    "iqn.kappa": ("dqn,iqn,chain", LARGE_REWARDS, 0.1),
    "learning.batch_size": (NETWORK, {}, 4),
    "learning.starts": (NETWORK, {}, 40),
    "learning.updates_per_step": (NETWORK, {}, 1.0),
    "minatar.game": ("dqn,minatar", {}, "asterix"),
    "minatar.actions": ("dqn,minatar", {}, "full"),
    "minatar.sticky_action_prob": ("dqn,minatar", {}, 0.9),
    "minatar.difficulty_ramping": (
        "dqn,minatar",
        {"minatar.game": "asterix", "run.steps": 3_000, "learning.starts": 3_000},
        False,
    ),
    "minatar.max_steps": ("dqn,minatar", {}, 3),
    "munchausen.alpha": ("dqn,munchausen,chain", {}, 0.5),
    "munchausen.temperature": ("dqn,munchausen,chain", {}, 0.3),
    "munchausen.lowest": ("dqn,munchausen,chain", {}, -0.1),
    "noisy.sigma": ("dqn,noisy,chain", {}, 0.1),
    "normalise.clip": ("dqn,normalise,cartpole", {}, 0.5),
    "nstep.n": ("dqn,nstep,chain", {}, 5),
    "per.alpha": ("dqn,per,chain", {}, 0.0),
    "per.beta": ("dqn,per,chain", {}, 1.0),
    "per.beta_horizon": ("dqn,per,chain", {}, 20),
    "per.epsilon": ("dqn,per,chain", {}, 0.5),
    "polyak.tau": ("dqn,polyak,chain", {}, 0.5),
    "pong.size": ("dqn,pong", EMULATOR, 84),
    "pong.view": ("dqn,pong", EMULATOR, "screen"),
    "pong.frame_skip": ("dqn,pong", EMULATOR, 2),
    "pong.sticky": ("dqn,pong", EMULATOR, 0.5),
    "pong.noop_max": ("dqn,pong", EMULATOR, 0),
    "pong.fire_on_reset": ("dqn,pong", {**EMULATOR, "pong.view": "screen", "pong.noop_max": 0}, True),
    "pong.stack": ("dqn,pong", EMULATOR, 3),
    "pong.padding": ("dqn,pong", EMULATOR, "zero"),
    "pong.max_frames": ("dqn,pong", EMULATOR, 40),
    "pong.actions": ("dqn,pong", EMULATOR, "full"),
    "pqn.rollout": ("pqn,chain", PQN, 4),
    "pqn.lam": ("pqn,chain", PQN, 0.0),
    "pqn.epochs": ("pqn,chain", PQN, 2),
    "pqn.minibatches": ("pqn,chain", PQN, 2),
    "pqn.overlap": ("pqn,chain", PQN, True),
    "qr.quantiles": ("dqn,qr,chain", {}, 20),
    "qr.kappa": ("dqn,qr,chain", LARGE_REWARDS, 0.1),
    "record.info": ("dqn,gym:Taxi-v4", {"run.steps": 420}, ["prob"]),
    "replay.capacity": (NETWORK, {}, 40),
    "returns.gamma": (NETWORK, {}, 0.5),
    "run.seed": (NETWORK, {}, 1),
    "run.planned": (NETWORK, {"dqn.learning_rate_left": 0.1}, 60),
    "run.num_envs": (NETWORK, {}, 3),
    "tabular.learning_rate": ("tabular,chain", {}, 0.5),
    "tabular.power": ("tabular,chain", {}, 0.5),
    "tabular.initial": ("tabular,chain", {}, 5.0),
    "target.every": (NETWORK, {}, 10),
    "target.unit": (NETWORK, {}, "updates"),
    "ucb.confidence": ("tabular,ucb,chain", {"tabular.initial": 0.1}, 20.0),
}

WITHOUT_EFFECT: Mapping[str, Case] = {
    "atari.backend": ("dqn,atari", {**EMULATOR, "atari.noop_max": 0}, "wrappers"),
    "atari.threads": ("dqn,atari", EMULATOR, 2),
    "dqn.threads": (NETWORK, {}, 2),
    "evaluation.groups": (NETWORK, EVALUATED, 2),
    "pong.backend": ("dqn,pong", {**EMULATOR, "pong.noop_max": 0}, "wrappers"),
    "pong.threads": ("dqn,pong", EMULATOR, 2),
    "run.deterministic": (NETWORK, {}, True),
}
"""Options that change how a run is computed, and not what."""

ELSEWHERE: Mapping[str, str] = {
    "evaluation.lag": "tests/framework/training/test_aside.py: when a result counts",
    "evaluation.num_envs": "tests/framework/training/test_evaluation.py: which episodes an evaluation plays",
    "mlflow.": "tests/plugins/test_mlflow.py",
    "pong.clip_rewards": "a point of Pong is worth 1",
    "ray_collect.": "tests/plugins/test_ray_collect.py",
    "run.device": "a GPU is not everywhere",
    "run.init_from": "tests/framework/training/test_initial.py",
    "run.init_weights": "tests/framework/training/test_initial.py",
    "run.plugins": "the composition itself",
    "video.": "tests/plugins/test_video.py",
    "wandb.": "tests/plugins/test_wandb.py",
}
"""Options, or whole sections, that are not tried here, and why."""


def shipped_options() -> Iterator[str]:
    """Every option of the engine and of the shipped plugins that is not declared as without effect (`free`)."""
    for package in (plugins, envs):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.split(".")[-1] not in ("emulator_checks", "conformance"):
                importlib.import_module(module.name)
    waiting = [Section]
    while waiting:
        section = waiting.pop()
        waiting += section.__subclasses__()
        if section.__module__.startswith(("framework.options", "plugins.", "envs.", "framework.environments.")):
            yield from (f"{section.section_name}.{name}" for name in section.model_fields if name not in section.free)


class Record(Callback):
    """What happens in a run."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_step(self, step: Step, counters: Counters) -> None:
        self.seen += [counters.env_steps, step.action.copy(), step.reward.copy(), step.terminated.copy()]
        self.seen += [step.obs.copy(), step.next_obs.copy()]

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        self.seen += [counters.updates, np.array(errors.loss), batch.ids.copy()]

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        self.seen += [episode.length, episode.raw_return, str(episode.info)]

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        self.seen += [result.returns, result.lengths]


def base_of(composition: str) -> dict[str, Any]:
    """The values of `BASE` that a composition reads."""
    names = composition.split(",")
    unread = {
        "learning": {"pqn", "tabular"},
        "replay": {"pqn", "tabular"},
        "target": {"pqn", "tabular", "polyak", "gym:CartPole-v1", "gym:Taxi-v4"},
        "exploration": {"boltzmann", "noisy", "ucb"},
    }
    return {key: value for key, value in BASE.items() if not unread.get(key.partition(".")[0], set()) & {*names}}


KNOWN: dict[str, str] = {}
"""A run, as text → its hash: many cases share the run with which they compare."""


def known(composition: str, values: Mapping[str, Any]) -> str:
    """The same as `traced`, made once."""
    run = f"{composition} {sorted(values.items())}"
    if run not in KNOWN:
        KNOWN[run] = traced(composition, values)
    return KNOWN[run]


def traced(composition: str, values: Mapping[str, Any]) -> str:
    """A hash of everything that happens in a run, and of its weights."""
    parts = assemble(composition, {**base_of(composition), **values})
    record = Record()
    try:
        Loop(parts, [record]).run()
        seen = {str(place): value for place, value in enumerate(record.seen)}
        shown = parts.policy.action_values(parts.stream.observations, explore=False)
        return digest({"seen": seen, "weights": parts.policy.state_dict(), "values": shown})
    finally:
        parts.close()


def test_every_option_is_tried_here_or_elsewhere() -> None:
    tried = {*WITH_EFFECT, *WITHOUT_EFFECT}
    missing = [
        option
        for option in shipped_options()
        if option not in tried and option not in ELSEWHERE and f"{option.partition('.')[0]}." not in ELSEWHERE
    ]
    assert not missing
    for option, where in ELSEWHERE.items():
        assert any(each.startswith(option) for each in shipped_options()), option
        path = where.partition(":")[0]
        assert not path.startswith("tests/") or (Path(__file__).parents[1] / path).is_file(), path


@pytest.mark.timeout(240)
@pytest.mark.parametrize("composition", sorted({case[0] for case in (*WITH_EFFECT.values(), *WITHOUT_EFFECT.values())}))
def test_a_run_is_the_same_again(composition: str) -> None:
    """Or else any option would seem to have an effect."""
    values = next(case[1] for case in (*WITH_EFFECT.values(), *WITHOUT_EFFECT.values()) if case[0] == composition)
    assert known(composition, values) == traced(composition, values)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("option", WITH_EFFECT)
def test_an_option_has_its_effect(option: str) -> None:
    composition, values, other = WITH_EFFECT[option]
    assert known(composition, values) != traced(composition, {**values, option: other})


@pytest.mark.timeout(240)
@pytest.mark.parametrize("option", WITHOUT_EFFECT)
def test_an_option_that_says_how_changes_nothing(option: str) -> None:
    composition, values, other = WITHOUT_EFFECT[option]
    assert known(composition, values) == traced(composition, {**values, option: other})
