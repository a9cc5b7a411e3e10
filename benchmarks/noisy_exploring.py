"""Why noisy networks learn more slowly than ε-greedy on short runs: is it how they explore, or how they learn?

    python benchmarks/noisy_exploring.py
    python benchmarks/noisy_exploring.py --seeds 1 --only cartpole

Four arms differ in one thing at a time: `dqn`; `dqn,noisy`; the same with dqn's ε-greedy exploration over its noisy
values; and ε-greedy exploration over values without noise, so that only its updates see noise. *Off the greedy action*
is the share of training actions that the agent's values without noise do not prefer, in each fifth of a run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from jaxtyping import Float, Int64, Shaped
from machine import foot, need, one_of
from measuring import show
from overestimation import GAMES

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.defaults.collector import InProcess
from framework.defaults.exploration import EpsilonGreedy, epsilon_schedule
from framework.defaults.schedules import with_share
from framework.events import Callback
from framework.options import ExplorationOptions, RunOptions
from framework.training.loop import Loop
from framework.types import Counters, Exploration, Step
from plugins.dqn.agent import DQNPolicy

ARMS = {
    "`dqn`": ("dqn", False, False),
    "`dqn,noisy`": ("dqn,noisy", False, False),
    "`dqn,noisy`, ε-greedy over noisy values": ("dqn,noisy", True, False),
    "`dqn,noisy`, ε-greedy over values without noise": ("dqn,noisy", True, True),
}
"""Name → the plugins, whether it explores ε-greedily, and whether it acts without noise."""

FIFTHS = 5
WINDOW = 100
"""Episodes whose mean return is followed, as in variants.py."""


class WithoutNoise:
    """Acts with the means of the weights, also while it explores."""

    def __init__(self, policy: DQNPolicy) -> None:
        self._policy = policy

    def action_values(self, obs: Shaped[np.ndarray, "N *obs"], explore: bool) -> Float[np.ndarray, "N A"]:
        return self._policy.action_values(obs, explore=False)


class Counted:
    """An exploration, which counts how often its action is not the one that values without noise prefer."""

    def __init__(self, exploration: Exploration, policy: DQNPolicy, steps: int) -> None:
        self._exploration, self._policy, self._steps = exploration, policy, steps
        self.off: list[list[bool]] = [[] for _ in range(FIFTHS)]

    def choose(
        self, values: Float[np.ndarray, "N A"], obs: Shaped[np.ndarray, "N *obs"], counters: Counters
    ) -> Int64[np.ndarray, " N"]:
        actions = self._exploration.choose(values, obs, counters)
        greedy = self._policy.action_values(obs, explore=False).argmax(axis=1)
        self.off[min(FIFTHS - 1, FIFTHS * counters.env_steps // self._steps)] += (actions != greedy).tolist()
        return actions


class Returns(Callback):
    """Follows the returns of training episodes."""

    def __init__(self, num_envs: int) -> None:
        self._running = np.zeros(num_envs)
        self._last: deque[float] = deque(maxlen=WINDOW)
        self.means: list[float] = []

    def on_step(self, step: Step, counters: Counters) -> None:
        self._running[step.env_id] += step.raw_reward
        for env_id in step.env_id[step.over].tolist():
            self._last.append(float(self._running[env_id]))
            self._running[env_id] = 0.0
        if self._last:
            self.means.append(float(np.mean(self._last)))


class Found(NamedTuple):
    """What one run shows."""

    area: float
    final: float
    off: list[float]


def measured(parts: Parts, epsilon_greedy: bool, without_noise: bool) -> Found:
    """Trains an agent, and measures it."""
    config, policy = parts.config, parts.policy
    assert isinstance(policy, DQNPolicy)
    run = config[RunOptions]
    exploration = parts.exploration
    if epsilon_greedy:
        schedule = epsilon_schedule(with_share(config[ExplorationOptions], run))
        exploration = EpsilonGreedy(schedule, parts.seeds.generator("exploration"))
    counted, returns = Counted(exploration, policy, run.steps), Returns(run.num_envs)
    acting = WithoutNoise(policy) if without_noise else policy
    parts.collector = InProcess(parts.stream, acting, counted)  # type: ignore[arg-type]  # it only asks for values
    Loop(parts, [returns]).run()
    parts.close()
    return Found(float(np.mean(returns.means)), returns.means[-1], [float(np.mean(fifth)) for fifth in counted.off])


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row.")] = 3,
    only: Annotated[
        list[str] | None, typer.Option(help="Measure only this environment; may be repeated.", callback=one_of(GAMES))
    ] = None,
) -> None:
    """Print a table with a line for each environment and arm, and every seed's figures."""
    need("minatar", "'pluggable-q[minatar]'")
    rows = []
    for game in only or GAMES:
        environment, values = GAMES[game]
        for name, (plugins, *how) in ARMS.items():
            runs = []
            for seed in range(seeds):
                own: Mapping[str, Any] = {**values, "run.seed": seed, "evaluation.every": 0}
                runs.append(measured(assemble(f"{plugins},{environment}", own), *how))
            off = np.mean([run.off for run in runs], axis=0)
            rows.append(
                (
                    f"{game}, {name}",
                    ", ".join(f"{run.area:.1f}" for run in runs),
                    ", ".join(f"{run.final:.1f}" for run in runs),
                    ", ".join(f"{100 * share:.0f}" for share in off),
                )
            )
    show(("environment and arm", "area under the curve", "final return", "off the greedy action, %, by fifths"), rows)
    print(foot(("torch", "gymnasium", "MinAtar"), seeds=f"0 to {seeds - 1}"))


if __name__ == "__main__":
    typer.run(main)
