"""What `torch.compile` brings: one update of `dqn` with its networks as they are, and compiled.

    python benchmarks/compiled.py --rounds 20

An update computes the loss of a batch, its gradients and the optimiser's step, on one thread. A compiled network is the
same module with its `forward` compiled for the shapes of the batch. It needs a C++ compiler.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated

import torch
import typer
from machine import foot, need_emulator
from measuring import LEGEND, UNENDING, Times, advance, alternate, ratio, show, spread

from framework.assembly.assemble import assemble
from framework.assembly.parts import Parts

STARTS = 2_000
WORKS = {
    "CartPole": "dqn,no:double,no:nstep,no:averaging,no:polyak,gym:CartPole-v1",
    "MinAtar": "dqn,minatar",
    "Pong": "dqn,no:per,pong",
}


def learner(plugins: str, compiled: bool, seed: int) -> tuple[Parts, float]:
    """Returns parts with a filled replay, and the seconds until the second update is made."""
    values = {**UNENDING, "run.until": None, "run.seed": seed, "run.device": "cpu", "learning.starts": 10**9}
    parts = assemble(plugins, {**values, "dqn.threads": 1})
    advance(parts, STARTS)
    began = time.perf_counter()
    if compiled:
        parts.policy.online.compile(dynamic=False)
        parts.policy.target.compile(dynamic=False)
    update(parts, 2)
    return parts, time.perf_counter() - began


def update(parts: Parts, times: int) -> None:
    """Learns so many batches."""
    for _ in range(times):
        batch = parts.buffer.sample(64, parts.counters)
        parts.optimizer.apply(batch, parts.loss(batch, parts.counters))


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; every arm runs once in each.")] = 20,
    updates: Annotated[int, typer.Option(min=1, help="Updates of each arm in a round.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every arm.")] = 0,
) -> dict[str, Times]:
    """Print the table. Returns the seconds of every arm, by its label."""
    need_emulator()
    torch.set_num_threads(1)
    made = {
        f"{work}{', compiled' if compiled else ''}": learner(plugins, compiled, seed)
        for work, plugins in WORKS.items()
        for compiled in (False, True)
    }
    seconds = alternate({name: partial(update, parts, updates) for name, (parts, _) in made.items()}, rounds)
    show(
        ["", "microseconds an update", "relative to the network as it is", "seconds of the first two updates"],
        [
            [name, spread(times / updates * 1e6), ratio(times, seconds[name.partition(",")[0]]), f"{made[name][1]:.1f}"]
            for name, times in seconds.items()
        ],
    )
    print(LEGEND, foot(["torch"], seed=seed, threads=1, rounds=rounds, updates_a_turn=updates, batch=64))
    return seconds


if __name__ == "__main__":
    typer.run(main)
