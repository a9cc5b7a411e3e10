"""Learn gymnasium's environments with no option named, and write docs/results/environments.md.

    python benchmarks/environments.py runs/environments
    python benchmarks/environments.py runs/environments --zoo runs/zoo     # beside the results of zoo.py

Each row of the page is `python -m framework run --plugins dqn,gym:ID --seeds 5` or the same with `tabular`. The command
makes only the runs that are missing, so it continues after an interruption, and it can write the page again from
complete runs. What there is to say about the results is in environments_conclusions.md; the command copies it to the
page.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer
from machine import foot, need

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
CONCLUSIONS = HERE / "environments_conclusions.md"


@dataclass(frozen=True)
class Learnt:
    """What one run learnt: the means of its evaluations, its environment steps and its minutes with evaluations."""

    evaluations: Sequence[float]
    steps: int
    minutes: float

    @property
    def last(self) -> float:
        """The mean of the last evaluations."""
        return fmean(self.evaluations[-LAST:])


def learnt(run: Path) -> Learnt:
    """Reads a complete run."""
    rows = list(read_rows(run / "metrics.jsonl"))
    evaluations = [row for row in rows if row["kind"] == "evaluation"]
    seconds = rows[-1]["seconds"] + sum(row["evaluation_seconds"] for row in evaluations)
    return Learnt([row["mean"] for row in evaluations], rows[-1]["env_steps"], seconds / 60)


def row(plugins: str, wanted: float, runs: Sequence[Learnt]) -> str:
    """Returns the line of the table for one composition."""
    reached = sum(run.last >= wanted for run in runs)
    digits = 2 if abs(wanted) < 1 else 1
    lasts, bests = (
        ", ".join(f"{value:.{digits}f}" for value in column)
        for column in ([run.last for run in runs], [max(run.evaluations) for run in runs])
    )
    minutes = ", ".join(f"{run.minutes:.1f}" for run in runs)
    steps = " to ".join(f"{steps:,}" for steps in sorted({run.steps for run in runs}))
    return f"| `{plugins}` | {wanted:g} | {reached} of {len(runs)} | {lasts} | {bests} | {steps} | {minutes} |"


def complete(folder: Path) -> list[Learnt]:
    """Reads the complete runs of a composition, the smallest seed first."""
    runs = sorted(folder.glob("*/seed-*/result.json"), key=lambda result: int(result.parent.name.removeprefix("seed-")))
    return [learnt(result.parent) for result in runs]


def beside(folder: Path, zoo: Path) -> str:
    """Returns the table of the environments that zoo.py has learnt in `zoo`, beside the runs in `folder`."""
    lines = [
        "| environment | steps | `dqn,gym:ID` | minutes | stable-baselines3, the zoo's values | minutes |",
        "| --- | ---: | --- | --- | --- | --- |",
    ]
    for env_id in WANTED:
        runs = complete(folder / f"dqn-{env_id}")
        results = sorted((zoo / env_id).glob("seed-*.json"), key=lambda path: int(path.stem.removeprefix("seed-")))
        theirs = [Learnt(**json.loads(result.read_bytes())) for result in results]
        if not runs or not theirs:
            continue
        cells = []
        for group in (runs, theirs):
            cells.append(", ".join(f"{run.last:.1f}" for run in group))
            cells.append(", ".join(f"{run.minutes:.1f}" for run in group))
        lines.append(f"| {env_id} | {runs[0].steps:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def page(rows: Sequence[str], peers: str | None) -> str:
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
                    "minutes |",
                    "| --- | ---: | ---: | --- | --- | ---: | --- |",
                    *rows,
                ]
            ),
            "One number for each seed, from 0 on. *Reached*: the seeds whose mean of the last three evaluations is at "
            "least what is wanted. An evaluation plays new episodes without exploration. *Minutes*: training and "
            "evaluations, by the clock.",
            *(text for text in compared if peers and text),
            CONCLUSIONS.read_text(encoding="utf-8").strip(),
            foot(("torch", "gymnasium", "box2d"), threads_of_a_run=1),
        ]
    )


def main(
    folder: Annotated[Path, typer.Argument(help="Folder for the runs. Complete runs in it are kept.")],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each composition.")] = 5,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Run only this composition, such as dqn,gym:Taxi-v4, and write no page; may be repeated."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time.")] = 1,
    zoo: Annotated[Path | None, typer.Option(help="Folder of zoo.py: the page compares its results.")] = None,
    start: Annotated[
        bool, typer.Option(help="Without it, the page is written from the runs that are complete.")
    ] = True,
) -> None:
    """Make the runs that are missing, and write the page."""
    need("Box2D", "'pluggable-q[box2d]'")
    compositions = {f"dqn,gym:{env_id}": wanted for env_id, wanted in WANTED.items()}
    compositions |= {f"tabular,gym:{env_id}": WANTED[env_id] for env_id in TABULAR}
    rows = []
    for plugins, wanted in compositions.items():
        if only and plugins not in only:
            continue
        place = folder / plugins.replace(",gym:", "-")
        if start:
            study = run_study([Arm(plugins, plugins)], range(seeds), place, jobs=jobs)
            if study.interrupted:
                raise typer.Exit(130)
            if study.failures:
                raise FrameworkError("\n".join(map(str, study.failures)))
        rows.append(row(plugins, wanted, complete(place)))
        typer.echo(rows[-1])
    if not only:
        PAGE.write_text(page(rows, beside(folder, zoo) if zoo else None) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
