"""How much double DQN has to correct: the overestimation of dqn's targets and values, on short runs.

    python benchmarks/overestimation.py
    python benchmarks/overestimation.py --seeds 1 --only breakout --steps 300000

*Correction* is what the double estimator would take off a target of dqn's (van Hasselt et al. 2016, eq. 4):
max_a Q'(s', a) − Q'(s', argmax_a Q(s', a)), with the target network Q' and the online network Q, in the batches of the
second half of a run. *Disagree* is the share of transitions where the two networks prefer different actions: elsewhere
the correction is 0. *Predicted* is the mean of max_a Q(s, a) in episodes that the agent plays greedily after the run,
and *actual* the mean of the discounted returns that followed there, as in the paper's figure 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from machine import foot, need, one_of
from measuring import show

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.events import Callback
from framework.options import ReturnsOptions, RunOptions
from framework.training.loop import Loop
from framework.types import Batch, Counters, TDErrors
from plugins.dqn.agent import DQNPolicy

GAMES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "cartpole": ("cartpole", {"run.steps": 30_000}),
    "breakout": ("minatar", {"minatar.game": "breakout", "run.steps": 50_000}),
    "space_invaders": ("minatar", {"minatar.game": "space_invaders", "run.steps": 50_000}),
}
"""As the studies of variants.py: name → the environment's plugin, and the values of both arms."""

ARMS = ("dqn", "dqn,double")
EVERY = 19
"""Updates between two batches that are measured: no divisor of the updates between two copies to the target."""
ENVS, EPISODES = 10, 3
"""Environments that play after the run, and whole episodes of each: the first ones to end would be the short ones."""
NEGLIGIBLE = 0.01
"""γ^k below which a return after k steps counts as complete, although its episode was truncated."""


class Corrections(Callback):
    """Measures batches of the second half of a run."""

    def __init__(self, policy: DQNPolicy, steps: int) -> None:
        self.policy, self.after = policy, steps // 2
        self.corrections: list[float] = []
        self.disagreements: list[float] = []

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        if counters.env_steps < self.after or counters.updates % EVERY:
            return
        next_obs = batch.next_obs[batch.discount > 0]
        target, online = (self.policy.values_of(one, next_obs) for one in (self.policy.target, self.policy.online))
        chosen = online.argmax(axis=1)
        self.corrections += (target.max(axis=1) - target[np.arange(len(target)), chosen]).tolist()
        self.disagreements += (chosen != target.argmax(axis=1)).tolist()


class Found(NamedTuple):
    """What one run shows."""

    correction: float
    disagree: float
    predicted: float
    actual: float


def played(parts: Parts) -> tuple[float, float]:
    """Returns the means of max_a Q(s, a) and of the discounted return after s, over the states of greedy episodes."""
    gamma = parts.config[ReturnsOptions].gamma
    stream = parts.open_stream("evaluate", ENVS, "overestimation")
    running: list[list[tuple[float, float]]] = [[] for _ in range(ENVS)]
    states: list[tuple[float, float]] = []
    left = [EPISODES] * ENVS
    while any(left):
        values = parts.policy.action_values(stream.observations, explore=False)
        stream.begin(values.argmax(axis=1))
        step = stream.finish()
        for row, env_id in enumerate(step.env_id.tolist()):
            running[env_id].append((float(values[env_id].max()), float(step.reward[row])))
            if step.over[row] and left[env_id]:
                states += returns(running[env_id], gamma, complete=bool(step.terminated[row]))
                left[env_id] -= 1
            if step.over[row]:
                running[env_id] = []
    stream.close()
    predicted, actual = np.mean(states, axis=0).tolist() if states else (np.nan, np.nan)
    return predicted, actual


def returns(episode: list[tuple[float, float]], gamma: float, complete: bool) -> list[tuple[float, float]]:
    """Returns (value, discounted return) of each state. Of a truncated episode, only those whose return is known."""
    found, total = [], 0.0
    for value, reward in reversed(episode):
        total = reward + gamma * total
        found.append((value, total))
    return found if complete else found[int(np.log(NEGLIGIBLE) / np.log(gamma)) :]


def measured(names: str, values: Mapping[str, Any], seed: int) -> Found:
    """Trains an agent, and measures it."""
    parts = assemble(names, {**values, "run.seed": seed, "evaluation.every": 0})
    assert isinstance(parts.policy, DQNPolicy)
    watch = Corrections(parts.policy, parts.config[RunOptions].steps)
    Loop(parts, [watch]).run()
    predicted, actual = played(parts)
    parts.close()
    return Found(float(np.mean(watch.corrections)), float(np.mean(watch.disagreements)), predicted, actual)


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row.")] = 3,
    only: Annotated[
        list[str] | None, typer.Option(help="Measure only this environment; may be repeated.", callback=one_of(GAMES))
    ] = None,
    steps: Annotated[int, typer.Option(min=0, help="Environment steps of a run; 0: as in variants.py.")] = 0,
) -> None:
    """Print a table with a line for each environment and arm, and every seed's figures."""
    need("minatar", "'pluggable-q[minatar]'")
    rows = []
    for game in only or GAMES:
        environment, values = GAMES[game]
        for arm in ARMS:
            own = {**values, "run.steps": steps or values["run.steps"]}
            found = [measured(f"{arm},{environment}", own, seed) for seed in range(seeds)]
            columns = [
                ", ".join(f"{100 * run.correction / abs(run.predicted):.1f} %" for run in found),
                ", ".join(f"{100 * run.disagree:.0f} %" for run in found),
                *(", ".join(f"{number:.2f}" for number in numbers) for numbers in list(zip(*found, strict=True))[2:]),
            ]
            rows.append((f"{game}, `{arm}`", *columns))
    show(("environment", "correction, of the predicted value", "disagree", "predicted", "actual"), rows)
    print(foot(("torch", "gymnasium", "MinAtar"), seeds=f"0 to {seeds - 1}", episodes=ENVS * EPISODES))


if __name__ == "__main__":
    typer.run(main)
