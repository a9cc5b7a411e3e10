"""How long Pong takes to learn: the default recipe over five seeds, and the recipes that were tried before it.

    python benchmarks/learn_pong.py runs/pong                   # the defaults: five runs, one after the other
    python benchmarks/learn_pong.py runs/tried --only n10       # another recipe

A run of the defaults has an evaluation (ten games, ε = 0.001) every 10,000 environment steps. It ends when one reaches
18 and 100 fresh games confirm it. Training time does not include evaluations. The command prints a table for each
recipe and draws the recipe's evaluations, if it has any, into the folder. After an interruption, the same command
continues. Run it on an idle machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Annotated, Any

import typer
from machine import foot, one_of
from matplotlib.figure import Figure

from framework.errors import FrameworkError
from framework.recording import read_rows
from framework.recording.drawing import save_figure
from framework.study import Arm, RunResult, run_study

GOAL = 18.0
CONFIRMED_BY = 100
WINDOW = 20_000
"""Environment steps over which training returns are averaged."""

SCREENED: Mapping[str, Any] = {
    "run.until": None,
    "evaluation.every": 0,
    "evaluation.confirm": 0,
    "run.steps": 200_000,
    "replay.capacity": 100_000,
}
FRESH: Mapping[str, Any] = {**SCREENED, "replay.capacity": 30_000}
PLAIN: Mapping[str, Any] = {
    **SCREENED,
    "run.num_envs": 4,
    "nstep.n": 3,
    "target.every": 1_000,
    "dqn.learning_rate": 2.5e-4,
    "pong.stack": 4,
}
TEN: Mapping[str, Any] = {**PLAIN, "nstep.n": 10, "target.every": 500}
FASTER: Mapping[str, Any] = {**TEN, "run.num_envs": 8, "dqn.learning_rate": 5e-4}


@dataclass(frozen=True)
class Recipe:
    """A composition, its options, and the seeds of its runs."""

    plugins: str
    values: Mapping[str, Any]
    seeds: tuple[int, ...] = (1,)


RECIPES = {
    "default": Recipe("dqn,pong", {}, (0, 1, 2, 3, 4)),
    "chapter": Recipe("chapter,pong", {"run.steps": 140_000, "run.episodes": None, "evaluation.every": 20_000}),
    "n3": Recipe("dqn,no:per,no:mirror,pong", PLAIN),
    "n3_mirrored": Recipe("dqn,no:per,pong", PLAIN),
    "n10": Recipe("dqn,no:per,no:mirror,pong", TEN),
    "n10_faster": Recipe("dqn,no:per,no:mirror,pong", FASTER),
    "n10_faster_qr": Recipe("dqn,qr,no:per,no:mirror,pong", {**FASTER, "qr.quantiles": 8}),
    "n10_without_fire": Recipe("dqn,no:per,no:mirror,pong", {**TEN, "run.num_envs": 8, "pong.actions": "moves"}),
    "per": Recipe("dqn,no:mirror,pong", {**FASTER, "pong.stack": 2}),
    "per_without_fire": Recipe("dqn,no:mirror,pong", {**FASTER, "pong.stack": 2, "pong.actions": "moves"}),
    "double_mirrored": Recipe("dqn,double,no:per,pong", {**FASTER, "target.every": 1_000}),
    "per_mirrored": Recipe("dqn,pong", {**FASTER, "pong.stack": 2}),
    "per_double_mirrored": Recipe(
        "dqn,double,pong",
        {**FASTER, "pong.stack": 2, "dqn.learning_rate": 3e-4, "target.every": 1_000},
    ),
    "old": Recipe("dqn,pong", SCREENED, (0,)),
    "fresh": Recipe("dqn,pong", FRESH, (0, 1)),
    "old_batch_32": Recipe("dqn,pong", {**SCREENED, "learning.batch_size": 32}),
    "old_polyak": Recipe("dqn,polyak,pong", SCREENED, (0,)),
    "half_the_updates": Recipe(
        "dqn,pong",
        {**SCREENED, "learning.updates_per_step": 0.25, "target.every": 1_000, "replay.capacity": 60_000},
        (0, 1),
    ),
    "fresh_greedier": Recipe("dqn,pong", {**FRESH, "exploration.final": 0.002}, (0, 1)),
    "fresh_faster": Recipe("dqn,pong", {**FRESH, "dqn.learning_rate": 1e-3}, (0,)),
    "fresh_batch_128": Recipe(
        "dqn,pong",
        {
            **FRESH,
            "learning.batch_size": 128,
            "learning.updates_per_step": 0.25,
            "target.every": 1_000,
            "dqn.learning_rate": 1e-3,
        },
        (0,),
    ),
}
"""The defaults; the textbook's recipe, for as many steps as take an hour here; and the recipes that were tried."""


def confirmed(folder: Path) -> dict[str, Any] | None:
    """Returns the row of the evaluation that confirmed the goal, or None if the run in this folder did not reach it."""
    rows = [row for row in read_rows(folder / "metrics.jsonl") if row["kind"] == "evaluation"]
    found = [row for row in rows if row["episodes"] >= CONFIRMED_BY and row["mean"] >= GOAL]
    return found[-1] if found else None


def lines(runs: Sequence[RunResult]) -> Iterator[str]:
    """Yields the lines of the table of a recipe's runs."""
    yield "| seed | training time | environment steps | updates | mean of 100 fresh games | different games |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: |"
    reached = [(run, row) for run in runs if (row := confirmed(run.folder))]
    for run in runs:
        row = confirmed(run.folder)
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
    """Plots each seed's evaluations against training time and environment steps. A star marks the confirmed one."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for run in runs:
        rows = [row for row in read_rows(run.folder / "metrics.jsonl") if row["kind"] == "evaluation"]
        star = confirmed(run.folder)
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


def windows(run: RunResult) -> str:
    """Returns the mean training return of every `WINDOW` environment steps, as one line of text."""
    episodes = [row for row in read_rows(run.folder / "metrics.jsonl") if row["kind"] == "episode"]
    found: dict[int, list[float]] = {}
    for row in episodes:
        found.setdefault(row["env_steps"] // WINDOW, []).append(row["return"])
    return ", ".join(f"to {(place + 1) * WINDOW // 1_000}k {mean(found[place]):+.1f}" for place in sorted(found))


def main(
    folder: Annotated[
        Path, typer.Argument(help="Folder for the studies, one for each recipe. Complete runs in it are kept.")
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(
            help=f"A recipe; may be repeated. One of: {', '.join(RECIPES)}. Default: default.",
            callback=one_of(RECIPES),
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs side by side. Each run is slower when there are several.")] = 1,
) -> None:
    """Make the runs that are missing, and print the table and the training returns of each recipe."""
    for name in only or ["default"]:
        recipe = RECIPES[name]
        arm = Arm(name, recipe.plugins, recipe.values)
        # without checkpoints, whose time is not that of learning
        values = {"checkpoint.every": 0}
        study = run_study([arm], recipe.seeds, folder / name, values=values, jobs=jobs, show_progress=True)
        if study.interrupted:
            raise typer.Exit(130)
        if study.failures:
            raise FrameworkError("\n".join(map(str, study.failures)))
        print("\n".join(lines(study.results)))
        for run in study.results:
            print(f"\nseed {run.seed}, mean training return: {windows(run)}")
        if any(run.evaluation is not None for run in study.results):
            draw(study.results, folder / f"{name}.png")
        print(f"\n`{recipe.plugins}` with {dict(recipe.values)}. {foot(('torch', 'ale-py', 'gymnasium'), jobs=jobs)}")


if __name__ == "__main__":
    typer.run(main)
