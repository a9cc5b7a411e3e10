"""Learn MinAtar's five games for a million steps, and write docs/results/minatar.md.

    python benchmarks/minatar_study.py runs/minatar
    python benchmarks/minatar_study.py runs/minatar --only dqn --game breakout --seeds 3
    python benchmarks/minatar_study.py runs/minatar --only double --only nstep
    python benchmarks/minatar_study.py runs/minatar --reference runs/minatar-reference   # beside minatar_reference.py

The command makes only the runs that are missing in the folder. Every evaluation of every run goes to
docs/results/minatar.csv, in the place of an older run of the same learner, game and seed; the page is made from that
file, which grows from one machine to the next. The conclusions are in minatar_study_conclusions.md; the command copies
them to the page.
"""

from __future__ import annotations

import csv
import json
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Annotated

import matplotlib.pyplot as plt
import numpy as np
import typer
from machine import need, one_of
from minatar_reference import GAMES, STEPS

from framework.errors import FrameworkError
from framework.recording import read_rows
from framework.study import Arm, run_study
from framework.study.statistics import estimate

LEARNERS = ("dqn", "rainbow", "pqn")
"""They play every game."""
VARIANTS = ("double", "nstep", "per", "c51", "qr", "iqn", "munchausen")
"""Plugins that are added to `dqn`. They play `GAMES_OF_VARIANTS`, where no game is named."""
GAMES_OF_VARIANTS = ("breakout", "space_invaders")
REFERENCE = "the paper's DQN"
LAST = 10
"""Evaluations whose mean is a result: those of the last 200,000 steps."""
MOMENTS = (300_000, STEPS)
"""The steps of the results: a run of `minatar` with no option named, and the whole run."""

COLOURS = plt.colormaps["tab20"].colors[::2] + plt.colormaps["tab20"].colors[1::2]

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "results" / "minatar.md"
TABLE = PAGE.with_suffix(".csv")
PICTURE = PAGE.with_suffix(".png")
CONCLUSIONS = HERE / "minatar_study_conclusions.md"


@dataclass(frozen=True, order=True)
class Evaluation:
    """One evaluation of one run: a line of the table of results."""

    game: str
    learner: str
    """The plugin, or the reference."""
    seed: int
    env_steps: int
    mean: float
    """The mean return of its episodes."""
    commit: str

    @property
    def run(self) -> tuple[str, str, int]:
        return self.game, self.learner, self.seed


@dataclass(frozen=True)
class Curve:
    """The evaluations of one run."""

    learner: str
    seed: int
    env_steps: tuple[int, ...]
    means: tuple[float, ...]

    def result(self, steps: int) -> float | None:
        """Returns the mean of the last evaluations until then; None if the run ended before."""
        until = [mean for at, mean in zip(self.env_steps, self.means, strict=True) if at <= steps]
        return fmean(until[-LAST:]) if self.env_steps[-1] >= steps else None


def evaluations_of(run: Path, game: str, learner: str, commit: str) -> list[Evaluation]:
    """Reads a complete run of the framework."""
    seed = int(run.name.removeprefix("seed-"))
    rows = [row for row in read_rows(run / "metrics.jsonl") if row["kind"] == "evaluation"]
    return [Evaluation(game, learner, seed, row["env_steps"], row["mean"], commit) for row in rows]


def evaluations_of_reference(result: Path, commit: str) -> list[Evaluation]:
    """Reads what minatar_reference.py wrote about one run."""
    found, seed = json.loads(result.read_bytes()), int(result.stem.removeprefix("seed-"))
    return [
        Evaluation(result.parent.name, REFERENCE, seed, number * found["every"], mean, commit)
        for number, mean in enumerate(found["evaluations"], start=1)
    ]


def read_table() -> list[Evaluation]:
    """Reads docs/results/minatar.csv, if it is there."""
    if not TABLE.is_file():
        return []
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [
            Evaluation(
                row["game"],
                row["learner"],
                int(row["seed"]),
                int(row["env_steps"]),
                float(row["mean"]),
                row["commit"],
            )
            for row in csv.DictReader(file)
        ]


def write_table(new: Sequence[Evaluation]) -> list[Evaluation]:
    """Writes new runs in the place of older ones of the same learner, game and seed. Returns all of them.

    A run that is in the table already keeps its commit.
    """
    known = {(row.run, row.env_steps, row.mean): row.commit for row in read_table()}
    new = [replace(row, commit=known.get((row.run, row.env_steps, row.mean), row.commit)) for row in new]
    replaced = {evaluation.run for evaluation in new}
    rows = sorted([*(known for known in read_table() if known.run not in replaced), *new])
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Evaluation)])
        writer.writerows(astuple(row) for row in rows)
    return rows


def curves(evaluations: Iterable[Evaluation]) -> list[Curve]:
    """Returns the runs of one game, by learner and seed."""
    found = []
    for (_, learner, seed), group in groupby(sorted(evaluations), key=lambda evaluation: evaluation.run):
        rows = list(group)
        found.append(Curve(learner, seed, tuple(row.env_steps for row in rows), tuple(row.mean for row in rows)))
    return found


def composition(learner: str) -> str:
    """Returns the plugins of a learner or of a variant."""
    return f"{learner},minatar" if learner in LEARNERS else f"dqn,{learner},minatar"


def table(game: str, runs: Sequence[Curve]) -> list[str]:
    """Returns the lines of the page for one game."""
    lines = []
    for learner in (REFERENCE, *LEARNERS, *VARIANTS):
        own = [run for run in runs if run.learner == learner]
        if own:
            seeds = ", ".join(str(run.seed) for run in own)
            name = learner if learner == REFERENCE else f"`{composition(learner)}`"
            cells = [cell([run.result(steps) for run in own]) for steps in MOMENTS]
            lines.append(f"| {game} | {name} | {seeds} | {' | '.join(cells)} |")
    return lines


def cell(results: Sequence[float | None]) -> str:
    """Returns every seed's result, and their interquartile mean if there are several."""
    known = [result for result in results if result is not None]
    each = ", ".join("–" if result is None else f"{result:.1f}" for result in results)
    return f"{each}; {estimate(known).text(lambda value: f'{value:.1f}')}" if len(known) > 1 else each


def draw(by_game: dict[str, list[Curve]]) -> None:
    """Draws every run, smoothed over five evaluations, a panel for each game."""
    figure, panels = plt.subplots(1, len(by_game), figsize=(3.4 * len(by_game), 3.2), layout="constrained")
    for panel, (game, runs) in zip(np.atleast_1d(panels), by_game.items(), strict=True):
        for colour, learner in enumerate((REFERENCE, *LEARNERS, *VARIANTS)):
            for number, run in enumerate(run for run in runs if run.learner == learner):
                width = min(5, len(run.means))
                smooth = np.convolve(run.means, np.ones(width) / width, mode="valid")
                label = learner if number == 0 else None
                steps = np.array(run.env_steps[width - 1 :]) / 1e6
                panel.plot(steps, smooth, color=COLOURS[colour], linewidth=1.2, label=label)
        panel.set_title(game)
        panel.set_xlabel("million steps")
        panel.grid(alpha=0.3)
    np.atleast_1d(panels)[0].set_ylabel("mean return of 20 episodes")
    handles = {
        label: line for panel in figure.axes for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    figure.savefig(PICTURE, dpi=110)
    plt.close(figure)


def page(by_game: dict[str, list[Curve]], commits: Iterable[str]) -> str:
    """Returns the whole page."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "gymnasium", "MinAtar", "numpy"))
    return "\n\n".join(
        [
            "# MinAtar, a million steps of each game",
            "Written by `python benchmarks/minatar_study.py runs/minatar`. A row is `python -m framework run --plugins "
            f"LEARNER --set minatar.game=GAME --steps {STEPS}`, with no other option.",
            CONCLUSIONS.read_text(encoding="utf-8").strip(),
            "\n".join(
                [
                    f"| game | learner | seeds | {' | '.join(f'until {steps:,} steps' for steps in MOMENTS)} |",
                    f"| --- | --- | --- |{' --- |' * len(MOMENTS)}",
                    *(line for game, runs in by_game.items() for line in table(game, runs)),
                ]
            ),
            f"A result is the mean of the last {LAST} evaluations until these steps, for each seed; where there are "
            "several, behind them the interquartile mean and its 95 % bootstrap interval. An evaluation comes every "
            "20,000 steps and plays 20 new episodes with ε = 0.001. [Every evaluation of every run](minatar.csv).",
            f"*{REFERENCE[0].upper()}{REFERENCE[1:]}* is `python benchmarks/minatar_reference.py FOLDER`: the "
            "learner of Young & Tian 2019 in plain torch, with their values. Three things differ from `dqn,minatar` "
            "beside the learner's values: it chooses among all six actions, and `minatar` among those that do "
            "something in the game; its training episodes have no limit, and those of `minatar` 5,000 steps; and it "
            "makes eight times as many updates, half as large. The paper shows training returns at ε = 0.1 over five "
            "million steps, and has no table of them.",
            "![The evaluations of every run, a mean over five at a time](minatar.png)",
            f"Commits: {', '.join(f'`{commit}`' for commit in sorted(set(commits)))}. Python "
            f"{platform.python_version()}, {packages}; one thread a run.",
        ]
    )


def current_commit() -> str:
    """Returns the short name of the checkout's commit."""
    words = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, cwd=HERE).stdout.strip()


def main(
    folder: Annotated[Path, typer.Argument(help="Folder for the runs. Complete runs in it are kept.")],
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each learner and game.")] = 3,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Run only this one; may be repeated. Default: dqn, rainbow and pqn.",
            callback=one_of([*LEARNERS, *VARIANTS]),
        ),
    ] = None,
    game: Annotated[
        list[str] | None,
        typer.Option(
            help="Run only this game; may be repeated. Default: all, and two for a variant.", callback=one_of(GAMES)
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time.")] = 2,
    reference: Annotated[
        Path | None, typer.Option(help="Folder of minatar_reference.py, whose results go to the table.")
    ] = None,
    commit: Annotated[str, typer.Option(help="The commit of new runs. Default: the one of this checkout.")] = "",
    start: Annotated[
        bool, typer.Option(help="Without it, nothing is run, and complete runs in the folder go to the table.")
    ] = True,
) -> None:
    """Make the runs that are missing, and write the page."""
    need("minatar", "'pluggable-q[minatar]'")
    made_by = commit or current_commit()
    new = []
    for played in game or GAMES:
        arms = [
            Arm(name, composition(name))
            for name in only or LEARNERS
            if game or name in LEARNERS or played in GAMES_OF_VARIANTS
        ]
        if not arms:
            continue
        if start:
            values = {"minatar.game": played, "run.steps": STEPS}
            study = run_study(arms, range(seeds), folder / played, values=values, jobs=jobs, show_progress=True)
            if study.interrupted:
                raise typer.Exit(130)
            if study.failures:
                raise FrameworkError("\n".join(map(str, study.failures)))
        for arm in arms:
            for result in (folder / played / arm.label).glob("seed-*/result.json"):
                new += evaluations_of(result.parent, played, arm.label, made_by)
    if reference is not None:
        for result in reference.glob("*/seed-*.json"):
            new += evaluations_of_reference(result, made_by)
    rows = write_table(new)
    by_game = {name: runs for name in GAMES if (runs := curves(row for row in rows if row.game == name))}
    draw(by_game)
    PAGE.write_text(page(by_game, (row.commit for row in rows)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
