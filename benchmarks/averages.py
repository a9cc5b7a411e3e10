"""Compare averages of the weights: which of them plays the best evaluations of one run of Pong?

    python benchmarks/averages.py --steps 160000

The averages do not change what is learnt, so all of them belong to the same run and differ in nothing else. An average
of rate r follows θ̄ ← θ̄ + max(r, 1/k) (θ − θ̄) after the k-th update, as in the plugin `averaging`; at rate 1 it is a
copy of the newest weights. *Both ways up* is the mean of the action values of the court and of those of its mirror
image, with the actions exchanged.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import typer
from machine import foot, need_emulator
from measuring import UNENDING

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.events import Callback
from framework.training.evaluation import evaluate
from framework.training.loop import Loop
from framework.types import Batch, Counters, Mirror, Step, TDErrors
from plugins.averaging.parts import AveragedPolicy
from plugins.dqn.agent import DQNPolicy


class BothWaysUp:
    """Returns the mean of a policy's action values for an observation and for its mirror image."""

    def __init__(self, policy: AveragedPolicy, mirror: Mirror) -> None:
        self.policy, self.axis, self.actions = policy, mirror.axis, list(mirror.actions)

    def action_values(self, obs: np.ndarray, explore: bool) -> np.ndarray:
        mirrored = np.ascontiguousarray(np.flip(obs, self.axis))
        values, other = (self.policy.action_values(seen, explore) for seen in (obs, mirrored))
        return (values + other[:, self.actions]) / 2


class Evaluations(Callback):
    """Updates every average after each update, and evaluates all players every `every` environment steps."""

    def __init__(
        self, parts: Parts, players: Mapping[str, Any], averages: Sequence[AveragedPolicy], every: int
    ) -> None:
        self.parts, self.players, self.averages, self.every = parts, players, averages, every
        self.next = every

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        for average in self.averages:
            average.update_average()

    def on_step(self, step: Step, counters: Counters) -> None:
        if counters.env_steps < self.next:
            return
        self.next += self.every
        cells = [f"{counters.env_steps:,}"]
        for player in self.players.values():
            agent = copy.copy(self.parts)
            agent.policy = player
            result = evaluate(agent, name=f"average/{counters.env_steps}")
            cells.append(f"{result.mean:+.1f} ± {result.deviation:.1f}")
        print(f"| {' | '.join(cells)} |", flush=True)


def main(
    steps: Annotated[int, typer.Option(min=1, help="Environment steps of the run.")] = 160_000,
    every: Annotated[int, typer.Option(min=1, help="Environment steps between evaluations of ten games.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the run.")] = 0,
) -> None:
    """Train one agent and print a line for each evaluation: the mean return of every average."""
    need_emulator()
    values = {**UNENDING, "run.steps": steps, "run.seed": seed, "run.device": "cpu"}
    parts = assemble("dqn,no:averaging,pong", values)
    policy, mirror = parts.policy, parts.spaces.mirror
    assert isinstance(policy, DQNPolicy)
    assert mirror is not None
    averages = {rate: AveragedPolicy(policy, rate) for rate in (1.0, 2e-3, 5e-4, 1e-4)}
    players: dict[str, Any] = {f"rate {rate:g}": average for rate, average in averages.items()}
    players["newest, both ways up"] = BothWaysUp(averages[1.0], mirror)
    players["5e-4, both ways up"] = BothWaysUp(averages[5e-4], mirror)
    head = ["environment steps", *players]
    print(f"| {' | '.join(head)} |\n|{' ---: |' * len(head)}", flush=True)
    Loop(parts, [Evaluations(parts, players, list(averages.values()), every)]).run()
    print(foot(("torch", "ale-py", "gymnasium"), seed=seed, steps=steps))


if __name__ == "__main__":
    typer.run(main)
