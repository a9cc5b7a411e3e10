"""Which average of the weights should play evaluations: one run of `dqn,pong`, evaluated by several of them.

    python benchmarks/averages.py --steps 160000

Nothing is learnt from an average, so all of them belong to the same run, and differ in nothing else. A *share* of s
follows θ̄ ← θ̄ + max(s, 1/k) (θ − θ̄) after the k-th update; a share of 1 is the newest weights. *Both ways up* is the
mean of the values of the court and of its mirror image, with the actions exchanged.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
import typer
from machine import foot, need_emulator
from measuring import UNENDING

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts
from framework.events import Callback
from framework.training.evaluation import evaluate
from framework.training.loop import Loop
from framework.types import Batch, Counters, Mirror, Step, TDErrors


class Average:
    """A network that follows the online one; it plays as a policy that does not explore."""

    def __init__(self, policy: Any, share: float) -> None:
        self.policy, self.share, self.updates = policy, share, 0
        self.network = copy.deepcopy(policy.target).eval()

    @torch.no_grad()
    def follow(self) -> None:
        """After an update."""
        self.updates += 1
        share = max(self.share, 1 / self.updates)
        for slow, fast in zip(self.network.parameters(), self.policy.online.parameters(), strict=True):
            slow.lerp_(fast, share)

    def action_values(self, obs: np.ndarray, explore: bool) -> np.ndarray:
        with torch.inference_mode():
            return self.network(self.policy.tensor(obs)).values.numpy()


class BothWaysUp:
    """The mean of a policy's values and of those that it has for the mirror image."""

    def __init__(self, policy: Average, mirror: Mirror) -> None:
        self.policy, self.axis, self.actions = policy, mirror.axis, list(mirror.actions)

    def action_values(self, obs: np.ndarray, explore: bool) -> np.ndarray:
        mirrored = np.ascontiguousarray(np.flip(obs, self.axis))
        values, other = (self.policy.action_values(seen, explore) for seen in (obs, mirrored))
        return (values + other[:, self.actions]) / 2


class Evaluations(Callback):
    """Lets every average follow each update, and plays with all of them every so many environment steps."""

    def __init__(self, parts: Parts, players: Mapping[str, Any], averages: Sequence[Average], every: int) -> None:
        self.parts, self.players, self.averages, self.every = parts, players, averages, every
        self.next = every

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        for average in self.averages:
            average.follow()

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
    steps: Annotated[int, typer.Option(min=1)] = 160_000,
    every: Annotated[int, typer.Option(min=1, help="Environment steps between evaluations of ten games.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Print a line for each evaluation."""
    need_emulator()
    parts = assemble("dqn,pong", {**UNENDING, "run.steps": steps, "run.seed": seed, "run.device": "cpu"})
    averages = [Average(parts.policy, share) for share in (1.0, 2e-3, 5e-4, 1e-4)]
    players: dict[str, Any] = {f"share {average.share:g}": average for average in averages}
    mirror = parts.spaces.mirror
    assert mirror is not None
    players["newest, both ways up"] = BothWaysUp(averages[0], mirror)
    players["5e-4, both ways up"] = BothWaysUp(averages[2], mirror)
    head = ["environment steps", *players]
    print(f"| {' | '.join(head)} |\n|{' ---: |' * len(head)}", flush=True)
    Loop(parts, [Evaluations(parts, players, averages, every)]).run()
    print(foot(("torch", "ale-py", "gymnasium"), seed=seed, steps=steps))


if __name__ == "__main__":
    typer.run(main)
