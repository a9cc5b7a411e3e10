"""How long Pong takes to learn: writes docs/results/pong.md from five runs of each recipe, one after the other.

    python benchmarks/pong.py runs/pong

A run is evaluated every so often (ten games, ε = 0.001) until one evaluation reaches 18 and 100 fresh games confirm
it; the time of evaluations is not counted. A study that was cut short goes on where it was, so the same command
writes the page again from runs that are there. What was concluded stands in pong_conclusions.md and is copied to the
top of the page. Run it on an idle machine: each run uses all of two cores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from machine import foot
from matplotlib.figure import Figure

from framework.errors import FrameworkError
from framework.recording import read_rows
from framework.recording.drawing import save_figure
from framework.study import Arm, RunResult, Study, run_study

GOAL = 18.0
CONFIRMED_BY = 100
HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "results" / "pong.md"
CONCLUSIONS = HERE / "pong_conclusions.md"


@dataclass(frozen=True)
class Recipe:
    """What a newcomer types, and for how long at most."""

    title: str
    plugins: str
    seeds: int
    values: Mapping[str, Any]


RECIPES = {
    "default": Recipe("The defaults", "dqn,pong", 5, {}),
    "chapter": Recipe(
        "The founding chapter's hyperparameters, for an hour's worth of steps",
        "chapter,pong",
        1,
        {"run.steps": 150_000, "run.episodes": None, "evaluation.every": 25_000},
    ),
}


def confirmed(run: RunResult) -> dict[str, Any] | None:
    """The row of the evaluation that confirmed the goal, if the run got there."""
    rows = [row for row in read_rows(run.folder / "metrics.jsonl") if row["kind"] == "evaluation"]
    found = [row for row in rows if row["episodes"] >= CONFIRMED_BY and row["mean"] >= GOAL]
    return found[-1] if found else None


def lines(runs: Sequence[RunResult]) -> Iterator[str]:
    """The table of a recipe's runs."""
    yield "| seed | training time | environment steps | updates | mean of 100 fresh games | different games |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: |"
    reached = [(run, row) for run in runs if (row := confirmed(run))]
    for run in runs:
        row = confirmed(run)
        if row is None:
            last = "no episode ended" if run.final is None else f"the last 100 training games at {run.final:+.1f}"
            yield f"| {run.seed} | not after {(run.seconds or 0) / 60:.1f} min | {run.steps:,} | | {last} | |"
        else:
            yield (
                f"| {run.seed} | {row['seconds'] / 60:.1f} min | {row['env_steps']:,} | {row['updates']:,} | "
                f"{row['mean']:+.2f} ± {row['deviation']:.2f} | {row['distinct']} |"
            )
    if len(reached) > 1:
        minutes, steps = (median(row[key] for _, row in reached) for key in ("seconds", "env_steps"))
        yield f"| median | **{minutes / 60:.1f} min** | **{steps:,.0f}** | | | |"


def draw(runs: Sequence[RunResult], path: Path) -> None:
    """Every evaluation of every seed, against training minutes and against environment steps; a star confirmed it."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for run in runs:
        rows = [row for row in read_rows(run.folder / "metrics.jsonl") if row["kind"] == "evaluation"]
        star = confirmed(run)
        for axes, key, unit in ((panels[0], "seconds", 60), (panels[1], "env_steps", 1_000)):
            places = [row[key] / unit for row in rows]
            (line,) = axes.plot(
                places, [row["mean"] for row in rows], marker=".", linewidth=1, label=f"seed {run.seed}"
            )
            if star is not None:
                axes.plot([star[key] / unit], [star["mean"]], "*", color=line.get_color(), markersize=13)
    for axes, label in zip(panels, ("minutes of training", "thousands of environment steps"), strict=True):
        axes.axhline(GOAL, color="black", linewidth=0.8, linestyle=":")
        axes.set_xlabel(label)
        axes.grid(alpha=0.25)
    panels[0].set_ylabel("mean of an evaluation")
    panels[0].legend(fontsize="small")
    save_figure(figure, path)


def section(name: str, study: Study) -> str:
    """The part of the page that shows one recipe, with its plot."""
    recipe = RECIPES[name]
    draw(study.results, PAGE.parent / f"pong-{name}.png")
    given = "".join(f" --set {path}={json.dumps(value)}" for path, value in recipe.values.items())
    return "\n\n".join(
        [
            f"## {recipe.title}",
            f"```sh\npython -m framework run --plugins {recipe.plugins}{given}\n```",
            "\n".join(lines(study.results)),
            f"![Every evaluation of every seed of {recipe.plugins}](pong-{name}.png)",
        ]
    )


def main(
    folder: Annotated[Path, typer.Argument(help="Where the runs are, or go.")],
    only: Annotated[list[str] | None, typer.Option(help="Run these recipes alone, and write no page.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Instead of each recipe's own number.")] = None,
) -> None:
    """Run what is missing, then write the page."""
    studies = {}
    for name, recipe in RECIPES.items():
        if only and name not in only:
            continue
        arm, count = Arm(name, recipe.plugins, recipe.values), seeds or recipe.seeds
        studies[name] = run_study([arm], range(count), folder / name, jobs=1, show_progress=True)
        if studies[name].interrupted:
            raise typer.Exit(130)
        if studies[name].failures:
            raise FrameworkError("\n".join(map(str, studies[name].failures)))
        print("\n".join(lines(studies[name].results)))
    if not only:
        top = ["# Pong at 18 on two cores", "Written by `python benchmarks/pong.py runs/pong`."]
        top.append(CONCLUSIONS.read_text(encoding="utf-8").strip())
        sections = [section(name, study) for name, study in studies.items()]
        PAGE.write_text("\n\n".join([*top, *sections, foot(("torch", "ale-py", "gymnasium"))]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
