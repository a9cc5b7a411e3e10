"""Every target of the Pong page, measured: what `dqn,pong` and its parts have to reach, and what they do here.

    python benchmarks/targets.py                            # all, each in a process of its own
    python benchmarks/targets.py --only gradients
    python benchmarks/targets.py --learnt runs/pong         # with the runs that learn_pong.py made in that folder
    python benchmarks/targets.py --profile                  # then where an environment step's time goes

Each measurement prints its own table; the last one sets them all against their targets. Run it on an idle machine.
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
    """One line of the last table: a figure and its bound."""

    what: str
    bound: float
    figure: Callable[[Any], float]
    """From what the measurement's `main` returned."""
    at_least: bool = False
    unit: str = "×"
    form: str = ",.2f"

    def line(self, found: Any, command: str) -> list[str]:
        """What, target, measured, and the command; `found` is None where nothing was measured."""
        bound = f"{'≥' if self.at_least else '≤'} {self.bound:,g} {self.unit}"
        if found is None:
            return [self.what, bound, "not measured", command]
        figure = self.figure(found)
        met = figure >= self.bound if self.at_least else figure <= self.bound
        measured = f"{figure:{self.form}} {self.unit}"
        return [self.what, bound, measured if met else f"**{measured}**", command]


@dataclass(frozen=True)
class Measurement:
    """A command of this folder."""

    targets: tuple[Target, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    """Its options, by name."""

    def command(self, name: str) -> str:
        """What to type for it alone."""
        options = "".join(f" --{key.replace('_', '-')} {value}" for key, value in self.values.items())
        return f"`{name}.py{options}`"


def middle(times: Times, base: Times) -> float:
    """The median, over the rounds, of times in units of `base`."""
    return float(np.median(times / base))


def against(peer: str, arm: str) -> Callable[[Mapping[str, Times]], float]:
    """How many times as long as the arm the peer takes."""
    return lambda seconds: middle(seconds[peer], seconds[arm])


def largest(seconds: Mapping[str, Times]) -> float:
    """How many times as long as the first arm the last one takes."""
    arms = list(seconds.values())
    return middle(arms[-1], arms[0])


def ours(seconds: Mapping[str, Times]) -> Times:
    """The first arm, which is as shipped."""
    return next(iter(seconds.values()))


def slowest_growth(seconds: Mapping[str, Times]) -> float:
    """The slowest number of environments in units of one environment's time."""
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
"""Everything but learning itself, which takes an hour: learn_pong.py."""

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
    """What the command's `main` returns; None where it says that something is missing. Runs in a process of its own."""
    try:
        return importlib.import_module(name).main(**values)
    except typer.Exit:
        return None


def measured_alone(name: str, values: Mapping[str, Any]) -> Any:
    """The same from here; None, too, where the measurement raised or its process died, which is told."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        try:
            return process.submit(measured, name, values).result()
        except Exception as error:
            typer.echo(f"{name}.py: {type(error).__name__}: {error}", err=True)
            return None


def learnt(folder: Path) -> list[list[str]]:
    """The lines of the runs of the defaults in learn_pong.py's folder.

    Raises:
        typer.BadParameter: if there are none, or one of them did not get there.
    """
    # a run that was put aside has a longer name, and one that is under way has no result
    ended = [path.parent for path in (folder / "default" / "default").glob("seed-*/result.json")]
    runs = sorted(run for run in ended if run.name.removeprefix("seed-").isdigit())
    if not runs:
        raise typer.BadParameter(f"{folder}: no run of the defaults has ended there")
    rows = [confirmed(run) for run in runs]
    missed = [run.name for run, row in zip(runs, rows, strict=True) if row is None]
    if missed:
        raise typer.BadParameter(f"{folder}: {', '.join(missed)} did not reach a confirmed 18")
    command = f"`learn_pong.py`, {len(runs)} seeds"
    return [target.line(rows, command) for target in (MINUTES, STEPS)]


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(MEASUREMENTS)}; default: all.")] = None,
    learnt_in: Annotated[
        Path | None,
        typer.Option("--learnt", help="Folder that learn_pong.py has filled; default: learning is left out."),
    ] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Say where an environment step's time goes, too.")] = False,
) -> None:
    """Print every table, and then that of the targets. Exit code 1 if something could not be measured."""
    unknown = sorted({*(only or ())} - {*MEASUREMENTS})
    if unknown:
        raise typer.BadParameter(f"no measurement is called {', '.join(unknown)}: choose of {', '.join(MEASUREMENTS)}")
    lines = learnt(learnt_in) if learnt_in is not None else []
    names = list(dict.fromkeys(only or MEASUREMENTS))
    results = {name: measured_alone(name, MEASUREMENTS[name].values) for name in names}
    for name, found in results.items():
        lines += [target.line(found, MEASUREMENTS[name].command(name)) for target in MEASUREMENTS[name].targets]
    show(["what", "target", "measured", "command"], lines)
    print("Medians. What is bold misses its target.")
    if profile:
        measured("profile_run", {})
    if any(found is None for found in results.values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
