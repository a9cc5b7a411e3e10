"""What every variant costs: its time for an environment step with learning, in units of dqn's, on one thread.

    python benchmarks/pace.py minatar

All arms run in turn, several rounds, in this process; the ratio is that of the medians. Nothing is recorded.
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
    """For a run of so many steps, from the loop's first to its last."""
    parts = assemble(plugins, {"run.steps": steps, "evaluation.every": 0, "learning.starts": 500})
    began = time.perf_counter()
    Loop(parts).run()
    elapsed = time.perf_counter() - began
    parts.close()
    return elapsed


def main(
    environment: Annotated[str, typer.Argument(help="cartpole or minatar.")] = "minatar",
    steps: Annotated[int, typer.Option(min=1_000, help="Of each run.")] = 4_000,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Print the table."""
    found: dict[str, list[float]] = {arm.label: [] for arm in arms(environment)}
    for _ in range(rounds):
        for arm in arms(environment):
            found[arm.label].append(seconds(str(arm.plugins), steps))
    base = median(found["dqn"])
    print("| arm | time, in units of dqn's | environment steps a second |\n| --- | ---: | ---: |")
    for label, times in sorted(found.items(), key=lambda item: median(item[1])):
        print(f"| {label} | {median(times) / base:.1f} | {steps / median(times):,.0f} |")


if __name__ == "__main__":
    typer.run(main)
