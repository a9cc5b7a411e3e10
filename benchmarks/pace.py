"""What every variant costs: its time for an environment step with learning, relative to dqn, on one thread.

    python benchmarks/pace.py minatar

Every arm runs once in each round, in this process. The table compares the medians of the rounds. Nothing is recorded.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Annotated

import typer
from variants import arms

from framework.assembly.assemble import assemble
from framework.training.loop import Loop


def seconds(plugins: str, steps: int) -> float:
    """Returns how long the loop of a run of `steps` environment steps takes."""
    values = {"run.steps": steps, "evaluation.every": 0}
    # pqn learns from rollouts from the beginning and does not read this option
    values |= {} if "pqn" in plugins.split(",") else {"learning.starts": 500}
    parts = assemble(plugins, values)
    began = time.perf_counter()
    Loop(parts).run()
    elapsed = time.perf_counter() - began
    parts.close()
    return elapsed


def main(
    environment: Annotated[str, typer.Argument(help="cartpole or minatar.")] = "minatar",
    steps: Annotated[int, typer.Option(min=1_000, help="Environment steps of each run.")] = 4_000,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each arm.")] = 3,
) -> None:
    """Print the table, the fastest arm first."""
    found: dict[str, list[float]] = {arm.label: [] for arm in arms(environment)}
    for _ in range(rounds):
        for arm in arms(environment):
            found[arm.label].append(seconds(str(arm.plugins), steps))
    base = median(found["dqn"])
    print("| arm | time, relative to dqn | environment steps a second |\n| --- | ---: | ---: |")
    for label, times in sorted(found.items(), key=lambda item: median(item[1])):
        print(f"| {label} | {median(times) / base:.1f} | {steps / median(times):,.0f} |")


if __name__ == "__main__":
    typer.run(main)
