"""Learn gymnasium's environments with no option named, and write docs/results/environments.md.

    python benchmarks/environments.py runs/environments
    python benchmarks/environments.py runs/environments --only dqn,gym:Taxi-v4
    python benchmarks/environments.py runs/environments --zoo runs/zoo     # beside the results of zoo.py

Each row of the page is `python -m framework run --plugins dqn,gym:ID --seeds 5` or the same with `tabular`. The command
makes only the runs that are missing in the folder. Their results go to docs/results/environments.csv, in the place of
older ones of the same composition, and the page is made from that file. What there is to say about the results is in
environments_conclusions.md; the command copies it to the page.
"""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer
from machine import need

from framework.errors import FrameworkError
from framework.recording import read_rows
from framework.study import Arm, run_study

WANTED: dict[str, float] = {
    "CartPole-v1": 500,
    "Acrobot-v1": -85,
    "MountainCar-v0": -120,
    "LunarLander-v3": 200,
    "FrozenLake-v1": 0.70,
    "Taxi-v4": 7,
    "CliffWalking-v1": -13,
    "Blackjack-v1": -0.08,
}
"""Environment → the mean return that counts as learnt."""

TABULAR = ("FrozenLake-v1", "Taxi-v4", "CliffWalking-v1", "Blackjack-v1")
LAST = 3
"""Evaluations at the end of a run that must be good, so that a lucky one does not count."""

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "results" / "environments.md"
TABLE = PAGE.with_suffix(".csv")
CONCLUSIONS = HERE / "environments_conclusions.md"
PEER = "stable-baselines3, "
"""Before the environment, in the column `learner` of the results of zoo.py."""


@dataclass(frozen=True)
class Learnt:
    """What one run learnt: a line of the table of results."""

    learner: str
    """The composition, or the peer with its environment."""
    seed: int
    last: float
    """The mean of the last evaluations."""
    best: float
    """The best evaluation."""
    steps: int
    minutes: float
    """Training and evaluations, by the clock."""
    commit: str


def learnt(run: Path, learner: str, commit: str) -> Learnt:
    """Reads a complete run."""
    rows = list(read_rows(run / "metrics.jsonl"))
    evaluations = [row for row in rows if row["kind"] == "evaluation"]
    means = [row["mean"] for row in evaluations]
    minutes = (rows[-1]["seconds"] + sum(row["evaluation_seconds"] for row in evaluations)) / 60
    seed = int(run.name.removeprefix("seed-"))
    return Learnt(learner, seed, fmean(means[-LAST:]), max(means), rows[-1]["env_steps"], minutes, commit)


def learnt_in_the_zoo(result: Path, commit: str) -> Learnt:
    """Reads what zoo.py wrote about one run."""
    found, seed = json.loads(result.read_bytes()), int(result.stem.removeprefix("seed-"))
    means = found["evaluations"]
    learner = f"{PEER}{result.parent.name}"
    return Learnt(learner, seed, fmean(means[-LAST:]), max(means), found["steps"], found["minutes"], commit)


def read_table() -> list[Learnt]:
    """Reads docs/results/environments.csv."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [
            Learnt(
                row["learner"],
                int(row["seed"]),
                float(row["last"]),
                float(row["best"]),
                int(row["steps"]),
                float(row["minutes"]),
                row["commit"],
            )
            for row in csv.DictReader(file)
        ]


def write_table(new: Sequence[Learnt]) -> list[Learnt]:
    """Writes new results in the place of older ones of the same learners. Returns all of them."""
    replaced = {run.learner for run in new}
    runs = sorted(
        [*(run for run in read_table() if run.learner not in replaced), *new], key=lambda run: (run.learner, run.seed)
    )
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Learnt)])
        for run in runs:
            writer.writerow(f"{value:.4g}" if isinstance(value, float) else value for value in astuple(run))
    return runs


def row(plugins: str, wanted: float, runs: Sequence[Learnt]) -> str:
    """Returns the line of the page for one composition."""
    reached = sum(run.last >= wanted for run in runs)
    digits = 2 if abs(wanted) < 1 else 1
    lasts, bests = (
        ", ".join(f"{value:.{digits}f}" for value in column)
        for column in ([run.last for run in runs], [run.best for run in runs])
    )
    minutes = ", ".join(f"{run.minutes:.1f}" for run in runs)
    steps = " to ".join(f"{steps:,}" for steps in sorted({run.steps for run in runs}))
    commits = ", ".join(f"`{commit}`" for commit in sorted({run.commit for run in runs}))
    return (
        f"| `{plugins}` | {wanted:g} | {reached} of {len(runs)} | {lasts} | {bests} | {steps} | {minutes} | {commits} |"
    )


def complete(folder: Path) -> list[Path]:
    """Returns the folders of the complete runs of a composition."""
    return [result.parent for result in folder.glob("*/seed-*/result.json")]


def beside(runs: Sequence[Learnt]) -> str:
    """Returns the table of the environments that zoo.py has learnt, beside the runs of dqn; empty without any."""
    lines = []
    for env_id in WANTED:
        groups = [[run for run in runs if run.learner == name] for name in (f"dqn,gym:{env_id}", f"{PEER}{env_id}")]
        if not all(groups):
            continue
        cells = []
        for group in groups:
            cells.append(", ".join(f"{run.last:.1f}" for run in group))
            cells.append(", ".join(f"{run.minutes:.1f}" for run in group))
        lines.append(f"| {env_id} | {groups[0][0].steps:,} | {' | '.join(cells)} |")
    head = [
        "| environment | steps | `dqn,gym:ID` | minutes | stable-baselines3, the zoo's values | minutes |",
        "| --- | ---: | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *lines]) if lines else ""


def page(rows: Sequence[str], peers: str) -> str:
    """Returns the whole page.

    Args:
        peers: the table of `beside`.
    """
    compared = [
        "## Beside stable-baselines3",
        "The mean of the last three evaluations of each seed, after the same steps. "
        "`python benchmarks/zoo.py runs/zoo` learns with stable-baselines3's DQN and the values that rl-zoo3 2.9.2 "
        "publishes for these environments (it has none for the others), with the same evaluations.",
        peers,
    ]
    return "\n\n".join(
        [
            "# gymnasium's environments, with no option named",
            "Written by `python benchmarks/environments.py runs/environments`. A row is the command "
            "`python -m framework run --plugins COMPOSITION --seeds 5`, without any other option: the values are those "
            "that the plugin `gym:ID` recommends. `python -m framework config --plugins COMPOSITION` shows them, and "
            "which belong to a preset of the environment.",
            "\n".join(
                [
                    "| composition | wanted | reached | mean of the last three evaluations | best evaluation | steps | "
                    "minutes | commit |",
                    "| --- | ---: | ---: | --- | --- | ---: | --- | --- |",
                    *rows,
                ]
            ),
            "One number for each seed, from 0 on. *Reached*: the seeds whose mean of the last three evaluations is at "
            "least what is wanted. An evaluation plays new episodes without exploration. *Minutes*: training and "
            "evaluations, by the clock. [The same as CSV](environments.csv).",
            *(text for text in compared if peers and text),
            CONCLUSIONS.read_text(encoding="utf-8").strip(),
        ]
    )


def main(
    folder: Annotated[Path, typer.Argument(help="Folder for the runs. Complete runs in it are kept.")],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each composition.")] = 5,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Run only this composition, such as dqn,gym:Taxi-v4; may be repeated."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time.")] = 1,
    zoo: Annotated[Path | None, typer.Option(help="Folder of zoo.py: the page compares its results.")] = None,
    start: Annotated[
        bool, typer.Option(help="Without it, nothing is run, and the page is written from the table.")
    ] = True,
) -> None:
    """Make the runs that are missing, and write the page."""
    need("Box2D", "'pluggable-q[box2d]'")
    compositions = {f"dqn,gym:{env_id}": wanted for env_id, wanted in WANTED.items()}
    compositions |= {f"tabular,gym:{env_id}": WANTED[env_id] for env_id in TABULAR}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE).stdout
    new = []
    for plugins in only or compositions if start else ():
        place = folder / plugins.replace(",gym:", "-")
        study = run_study([Arm(plugins, plugins)], range(seeds), place, jobs=jobs)
        if study.interrupted:
            raise typer.Exit(130)
        if study.failures:
            raise FrameworkError("\n".join(map(str, study.failures)))
        new += [learnt(run, plugins, commit.strip()) for run in complete(place)]
    if zoo is not None:
        new += [learnt_in_the_zoo(result, commit.strip()) for result in zoo.glob("*/seed-*.json")]
    runs = write_table(new)
    rows = [
        row(plugins, wanted, [run for run in runs if run.learner == plugins])
        for plugins, wanted in compositions.items()
    ]
    PAGE.write_text(page(rows, beside(runs)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
