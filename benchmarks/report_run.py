"""Prints the Markdown table of a recorded run, and the returns of its agent before and after training.

    python benchmarks/report_run.py runs/first --episodes 20 --every 25000

The untrained agent is the same network with the weights from before the first update. Both agents play the same games.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from framework.assembly.assemble import assemble_agent
from framework.config import Source, read_toml
from framework.events import EvaluationResult
from framework.recording import read_rows
from framework.training.agents import load
from framework.training.evaluation import evaluate


def windows(rows: Iterable[dict[str, Any]], every: int) -> Iterable[str]:
    """Yields a line for each `every` environment steps, with the means of their episodes and their last evaluation."""
    episodes = [row for row in rows if row["kind"] == "episode"]
    evaluations = [row for row in rows if row["kind"] == "evaluation"]
    yield "| environment steps | training time | episodes | mean training return | mean length | evaluation |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: |"
    last = max((row["env_steps"] for row in episodes), default=0)
    for start in range(0, last, every):
        here = [row for row in episodes if start < row["env_steps"] <= start + every]
        if not here:
            continue
        scored = [row for row in evaluations if start < row["env_steps"] <= start + every]
        score = f"{scored[-1]['mean']:+.1f} ± {scored[-1]['deviation']:.1f}" if scored else ""
        mean = sum(row["return"] for row in here) / len(here)
        length = sum(row["length"] for row in here) / len(here)
        yield (
            f"| {min(start + every, last):,} | {here[-1]['seconds'] / 60:.0f} min | {len(here)} | {mean:+.1f} | "
            f"{length:.0f} | {score} |"
        )


def described(label: str, result: EvaluationResult) -> str:
    """Returns one line of the table of returns."""
    return (
        f"| {label} | {result.mean:+.2f} ± {result.deviation:.2f} | {min(result.returns):+g} | "
        f"{max(result.returns):+g} | {result.distinct} |"
    )


def main(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    episodes: Annotated[int, typer.Option(help="Games of each agent.")] = 20,
    every: Annotated[int, typer.Option(help="Environment steps for each line of the table.")] = 25_000,
    weights: Annotated[
        str | None,
        typer.Option(help="Of the trained agent: evaluation, last or mean_100. Default: evaluation, else last."),
    ] = None,
) -> None:
    """Print the table of a recorded run, and the returns before and after training."""
    for line in windows(read_rows(run / "metrics.jsonl"), every):
        print(line)
    values = read_toml(run / "config.toml")
    before = assemble_agent(values["run.plugins"], [Source("run", values)])
    print(f"\n| greedy over {episodes} games | mean | worst | best | different games |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for label, agent in (("untrained", before), ("trained", load(run, weights))):
        print(described(label, evaluate(agent, name="report", episodes=episodes)), flush=True)


if __name__ == "__main__":
    typer.run(main)
