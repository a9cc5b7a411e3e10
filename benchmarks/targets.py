"""Measure every target of the Pong page: the speeds and sizes that `dqn,pong` and its parts should reach.

    python benchmarks/targets.py                            # all, each in its own process
    python benchmarks/targets.py --only gradients
    python benchmarks/targets.py --learnt runs/pong         # also the runs of learn_pong.py in that folder
    python benchmarks/targets.py --profile                  # also how the time of a step is divided

Each measurement prints its own table. The last table compares them with their targets. Run it on an idle machine.
"""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from engine import ENGINE, HAND
from environment import OURS as NATIVE
from environment import PEER as WRAPPERS
from gradients import PEER
from learn_pong import confirmed
from measuring import Times, show
from replay import COPY, PRIORITISED, UNIFORM
from whole_loop import SCRIPT

FRAMES = 1_000_000


@dataclass(frozen=True)
class Target:
    """One line of the last table: a measured value and its bound."""

    what: str
    bound: float
    figure: Callable[[Any], float]
    """Computes the value from the result of the measurement's `main`."""
    at_least: bool = False
    unit: str = "×"
    form: str = ",.2f"

    def line(self, found: Any, command: str) -> list[str]:
        """Returns the cells of the line. `found` is the measurement's result, or None if there is none."""
        bound = f"{'≥' if self.at_least else '≤'} {self.bound:,g} {self.unit}"
        if found is None:
            return [self.what, bound, "not measured", command]
        figure = self.figure(found)
        met = figure >= self.bound if self.at_least else figure <= self.bound
        measured = f"{figure:{self.form}} {self.unit}"
        return [self.what, bound, measured if met else f"**{measured}**", command]


@dataclass(frozen=True)
class Measurement:
    """A command of this folder, and the targets that it measures."""

    targets: tuple[Target, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    """The command's options, by name."""

    def command(self, name: str) -> str:
        """Returns the command for this measurement alone."""
        options = "".join(f" --{key.replace('_', '-')} {value}" for key, value in self.values.items())
        return f"`{name}.py{options}`"


def middle(times: Times, base: Times) -> float:
    """Returns the median, over the rounds, of the times relative to `base`."""
    return float(np.median(times / base))


def against(peer: str, arm: str) -> Callable[[Mapping[str, Times]], float]:
    """Returns a function that computes how many times as long as the arm the peer takes."""
    return lambda seconds: middle(seconds[peer], seconds[arm])


def largest(seconds: Mapping[str, Times]) -> float:
    """Returns how many times as long as the first arm the last arm takes."""
    arms = list(seconds.values())
    return middle(arms[-1], arms[0])


def ours(seconds: Mapping[str, Times]) -> Times:
    """Returns the times of the first arm."""
    return next(iter(seconds.values()))


def slowest_growth(seconds: Mapping[str, Times]) -> float:
    """Returns the largest time of several environments, relative to the time of one environment."""
    return max(middle(times, ours(seconds)) for times in list(seconds.values())[1:])


MEASUREMENTS: Mapping[str, Measurement] = {
    "gradients": Measurement(
        (
            Target(
                f"gradient samples a second against {PEER}, batch 32",
                4.0,
                lambda found: middle(found[32][PEER], ours(found[32])),
                at_least=True,
            ),
            Target(
                f"gradient samples a second against {PEER}, batch 128",
                4.0,
                lambda found: middle(found[128][PEER], ours(found[128])),
                at_least=True,
            ),
        ),
        {"rounds": 20, "threads": 2},
    ),
    "whole_loop": Measurement(
        tuple(
            Target(
                f"whole loop against {name}, environments: {count}",
                4.0,
                against(peer, f"dqn, environments: {count}"),
                at_least=True,
            )
            for name, peer in ((PEER, PEER), ("a single file", SCRIPT))
            for count in (1, 8)
        ),
        {"rounds": 20, "threads": 2},
    ),
    "environment": Measurement(
        (
            Target(
                "environment alone against gymnasium's wrappers",
                1.8,
                lambda found: middle(found[WRAPPERS], found[NATIVE]),
                at_least=True,
            ),
        ),
        {"rounds": 30},
    ),
    "engine": Measurement(
        (
            Target(
                "engine's loop against one by hand",
                1.02,
                lambda found: middle(found[0][ENGINE], found[0][HAND]),
                form=".3f",
            ),
            Target("… the upper end of its 95 % interval", 1.02, lambda found: found[1][1], form=".3f"),
        ),
        {"pairs": 60, "threads": 1},
    ),
    "replay": Measurement(
        (
            Target("replay of 1,000,000 frames of 84 × 84", 7.2, lambda found: found.resident / 1e9, unit="GB"),
            Target(
                "a batch of 128, uniform, against a plain copy",
                2.0,
                lambda found: middle(found.sampling[UNIFORM], found.sampling[COPY]),
            ),
            Target(
                "a batch of 128, prioritised, against a plain copy",
                2.5,
                lambda found: middle(found.sampling[PRIORITISED], found.sampling[COPY]),
            ),
            Target(
                "sampled and reprioritised, 1,000,000 against 10,000 (logarithmic: 6 to 4)",
                1.5,
                lambda found: largest(found.growth),
            ),
            Target(
                "time for a step of the loop, slowest of 4 to 64 environments against 1",
                1.0,
                lambda found: slowest_growth(found.loop),
            ),
        ),
        {"rounds": 20, "capacity": FRAMES},
    ),
    "packing": Measurement(
        (Target("the same replay, packed", 1.0, lambda found: found[0]["packed,"] * FRAMES / 1e9, unit="GB"),),
        {"rounds": 20},
    ),
}
"""All measurements except learning, which takes an hour: learn_pong.py measures it."""

MINUTES = Target(
    "training time to a confirmed 18, median",
    10.0,
    lambda rows: np.median([row["seconds"] for row in rows]) / 60,
    unit="min",
)
STEPS = Target(
    "environment steps until then, median",
    300_000,
    lambda rows: np.median([row["env_steps"] for row in rows]),
    unit="",
    form=",.0f",
)


def measured(name: str, values: Mapping[str, Any]) -> Any:
    """Returns the result of the command's `main`, or None if the command ends because a package is missing."""
    try:
        return importlib.import_module(name).main(**values)
    except typer.Exit:
        return None


def measured_alone(name: str, values: Mapping[str, Any]) -> Any:
    """Calls `measured` in a new process. Returns None also if it raises or the process dies, and prints the error."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        try:
            return process.submit(measured, name, values).result()
        except Exception as error:
            typer.echo(f"{name}.py: {type(error).__name__}: {error}", err=True)
            return None


def learnt(folder: Path) -> list[list[str]]:
    """Returns the lines of the last table for the runs of the defaults in learn_pong.py's folder.

    Raises:
        typer.BadParameter: if there are no such runs, or one of them did not reach the goal.
    """
    # a run that was put aside has a longer name, and a run that has not ended has no result
    ended = [path.parent for path in (folder / "default" / "default").glob("seed-*/result.json")]
    runs = sorted(run for run in ended if run.name.removeprefix("seed-").isdigit())
    if not runs:
        raise typer.BadParameter(
            f"{folder}: no complete run of the defaults: make them with python benchmarks/learn_pong.py {folder}"
        )
    rows = [confirmed(run) for run in runs]
    missed = [run.name for run, row in zip(runs, rows, strict=True) if row is None]
    if missed:
        raise typer.BadParameter(f"{folder}: {', '.join(missed)} did not reach a confirmed 18")
    command = f"`learn_pong.py`, {len(runs)} seeds"
    return [target.line(rows, command) for target in (MINUTES, STEPS)]


def main(
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"A measurement; may be repeated. One of: {', '.join(MEASUREMENTS)}. Default: all."),
    ] = None,
    learnt_in: Annotated[
        Path | None,
        typer.Option("--learnt", help="Folder with runs of learn_pong.py. Default: leave learning out."),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also print how the time of an environment step is divided.")
    ] = False,
) -> None:
    """Print every table, and then the table of the targets. Exit code 1: a measurement has no result."""
    unknown = sorted({*(only or ())} - {*MEASUREMENTS})
    if unknown:
        raise typer.BadParameter(
            f"no measurement is called {', '.join(unknown)}: choose from {', '.join(MEASUREMENTS)}"
        )
    lines = learnt(learnt_in) if learnt_in is not None else []
    names = list(dict.fromkeys(only or MEASUREMENTS))
    results = {name: measured_alone(name, MEASUREMENTS[name].values) for name in names}
    for name, found in results.items():
        lines += [target.line(found, MEASUREMENTS[name].command(name)) for target in MEASUREMENTS[name].targets]
    show(["what", "target", "measured", "command"], lines)
    print("Medians. Bold values miss their targets.")
    if profile:
        measured("profile_run", {})
    if any(found is None for found in results.values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
