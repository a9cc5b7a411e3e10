"""How long the whole command takes to learn Pong, by the clock: from Enter to its last line.

    python benchmarks/pong_clock.py runs/clock                                # `pong`, five seeds, one after the other
    python benchmarks/pong_clock.py runs/clock --plugins dqn,pong --seeds 0

Everything counts: importing, assembling, training, evaluations, the confirmation, the last files. Complete runs in the
folder are kept, with their times. Run it on an idle machine, and compare only times of one machine and one day.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from learn_pong import confirmed
from machine import foot, need_emulator
from matplotlib.figure import Figure

from framework.recording import read_rows
from framework.recording.drawing import save_figure

CLOCK = "clock.json"
"""The file beside each run: the seconds that the command took."""


def timed(plugins: str, seed: int, folder: Path) -> float:
    """Returns the seconds of a run that ended in good order; makes the run if it is missing."""
    record = folder.with_suffix(f".{CLOCK}")
    if not record.is_file():
        command = [sys.executable, "-m", "framework", "run", "--plugins", plugins, "--seed", str(seed)]
        began = time.perf_counter()
        subprocess.run([*command, "--quiet", "--run-dir", str(folder)], check=True)
        record.write_text(json.dumps({"seconds": time.perf_counter() - began}), encoding="utf-8")
    return float(json.loads(record.read_bytes())["seconds"])


def evaluations(folder: Path) -> list[dict[str, Any]]:
    """Returns the rows of the evaluations of a run."""
    return [row for row in read_rows(folder / "metrics.jsonl") if row["kind"] == "evaluation"]


def line(seed: int, seconds: float, relative: str, folder: Path) -> str:
    """Returns the row of one run in the table.

    Args:
        relative: the cell of the ratio to another command.
    """
    row = confirmed(folder)
    training = max(other["seconds"] for other in read_rows(folder / "metrics.jsonl"))
    if row is None:
        return f"| {seed} | {seconds:.0f} s | {relative} | {training:.0f} s | not confirmed | | | | | |"
    confirmation = row["evaluation_seconds"]
    return (
        f"| {seed} | {seconds:.0f} s | {relative} | {training:.0f} s | {confirmation:.0f} s | "
        f"{seconds - training - confirmation:.0f} s | {row['env_steps']:,} | {row['updates']:,} | "
        f"{row['mean']:+.2f} ± {row['deviation']:.2f} | {row['distinct']} |"
    )


def draw(folders: Sequence[Path], path: Path) -> None:
    """Plots each run's evaluations against environment steps. A star marks the confirmed one."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for folder in folders:
        rows, star = evaluations(folder), confirmed(folder)
        places = [row["env_steps"] / 1_000 for row in rows]
        (curve,) = axes.plot(places, [row["mean"] for row in rows], marker=".", linewidth=1, label=folder.name)
        if star is not None:
            axes.plot([star["env_steps"] / 1_000], [star["mean"]], "*", color=curve.get_color(), markersize=13)
    axes.set_xlabel("thousands of environment steps")
    axes.set_ylabel("mean of an evaluation")
    axes.grid(alpha=0.25)
    axes.legend(fontsize="small")
    save_figure(figure, path)


def main(
    folder: Annotated[Path, typer.Argument(help="Folder for the runs.")],
    plugins: Annotated[str, typer.Option(help="The composition.")] = "pong",
    seeds: Annotated[str, typer.Option(help="Seeds, as 0,1,2.")] = "0,1,2,3,4",
    baseline: Annotated[float, typer.Option(min=0, help="Seconds of another command, for the ratios; 0: none.")] = 0.0,
) -> None:
    """Make the runs that are missing; print a table and draw the evaluations."""
    need_emulator()
    home = folder / plugins.replace(",", "-")
    home.mkdir(parents=True, exist_ok=True)
    numbers = [int(seed) for seed in seeds.split(",")]
    folders = [home / f"seed {seed}" for seed in numbers]
    clocks = [timed(plugins, seed, run) for seed, run in zip(numbers, folders, strict=True)]
    head = ("seed", "by the clock", "relative", "training", "confirmation", "the rest", "environment steps", "updates")
    head += ("mean of 100 fresh games", "different games")
    print(f"| {' | '.join(head)} |\n|{' ---: |' * len(head)}")

    def relative(seconds: float) -> str:
        return f"{seconds / baseline:.2f}" if baseline else "–"

    for seed, seconds, run in zip(numbers, clocks, folders, strict=True):
        print(line(seed, seconds, relative(seconds), run))
    middle = median(clocks)
    print(f"| median | **{middle:.0f} s** | **{relative(middle)}** |{' |' * (len(head) - 3)}")
    draw(folders, home.with_suffix(".png"))
    print(f"\n{foot(('torch', 'ale-py', 'gymnasium'), runs_at_a_time=1)}")


if __name__ == "__main__":
    typer.run(main)
