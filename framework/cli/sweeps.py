"""Sweeps on the command line: the output before and after the trials, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import typer
from filelock import FileLock, Timeout

from framework.assembly.configuration import absolute, plugin_names
from framework.config import Config, Source
from framework.errors import FrameworkError, UsageError, did_you_mean, listed
from framework.options import RunOptions
from framework.processes.executors import executor_of
from framework.search.checking import Checked, check_space, declared_spaces
from framework.search.confirm import Confirmed, confirm
from framework.search.definition import Definition, open_sweep
from framework.search.ledger import best_of
from framework.search.objective import OBJECTIVES, OF_EVALUATIONS
from framework.search.report import remarks, table, write_report
from framework.search.samplers import check_names
from framework.search.space import Space, parse_over
from framework.search.sweep import search, value_text
from framework.study.report import padded
from framework.study.statistics import shown
from framework.training.run_folder import default_folder

TRIALS = 20
"""Trials, if the user does not say how many."""

REPORT_LOCK = ".report.lock"
"""Held while the report is written and the best values are confirmed."""

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """The options of the command, as they were given."""

    over: Sequence[str]
    trials: int | None
    seeds: int
    objective: str | None
    sampler: str
    points: int
    pruner: str
    confirm: int
    jobs: int | None
    on: str
    folder: Path | None
    show: bool


def run_sweep(names: str | Sequence[str], sources: Sequence[Source], asked: Asked) -> int:
    """Search, report and confirm, and return the exit code.

    Raises:
        UsageError: before the first trial, with every problem that was found.
        FrameworkError: after the report, if every trial failed, a process of the sweep failed or a confirmation failed.
    """
    named = plugin_names(names)
    config, declared = declared_spaces(named, sources)
    problems: list[str] = []
    if not asked.show:
        _collect(problems, lambda: check_names(asked.sampler, asked.pruner))
        _collect(problems, lambda: executor_of(asked.on))
    _collect(problems, lambda: _known_objective(asked.objective))
    space, unreadable = parse_over(asked.over, declared) if asked.over else (declared, [])
    problems += unreadable
    if not space and not problems:
        problems = ["no option of this composition has a declared space: name some with --over section.key=SPACE"]
    checked = _collect(problems, lambda: check_space(named, sources, space)) if space else None
    if checked is not None:
        _collect(problems, lambda: _check_evaluations(asked, checked))
    if problems or checked is None:
        raise UsageError(problems)
    if asked.show:
        _show(space, config, asked.over)
        return 0
    definition = _definition(named, config, space, checked, asked)
    most = _most(asked.trials, definition)
    folder = asked.folder or default_folder(named, "sweep")
    for note in checked.arm.notes:
        typer.echo(note)
    open_sweep(folder, definition)
    for path, one in space.items():
        typer.echo(f"search   {path} in {one}")
    which = f"{asked.seeds} seeds each" if asked.seeds > 1 else "one seed each"
    pruner = "" if asked.pruner == "none" else f", pruner {asked.pruner}"
    typer.echo(f"largest  {definition.objective}: {OBJECTIVES[definition.objective]} | {which}")
    typer.echo(f"sampler  {asked.sampler}, seed {definition.seed}{pruner}")
    typer.echo(f"folder   {folder}")
    searched = search(folder, definition, checked.arm, most, asked.jobs, asked.on)
    with _reporting(folder):
        return _conclude(folder, definition, searched.trials, searched.failures, searched.interrupted, asked)


@contextmanager
def _reporting(folder: Path) -> Iterator[None]:
    """Inside this block, no other sweep on the folder writes the report or confirms its best values."""
    lock = FileLock(folder / REPORT_LOCK)
    try:
        lock.acquire(timeout=1)
    except Timeout:
        typer.echo("waiting  another sweep on this folder reports or confirms")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _conclude(
    folder: Path, definition: Definition, trials: Any, failures: Sequence[str], interrupted: bool, asked: Asked
) -> int:
    from rich.console import Console

    if trials:
        written = write_report(folder, definition)
        typer.echo("")
        Console(soft_wrap=True).print(table(definition, trials))
        typer.echo("")
        for remark in remarks(definition, trials):
            typer.echo(remark)
        typer.echo(f"wrote {', '.join(str(folder / name) for name in written)}")
    if interrupted:
        ended = sum(trial.state != "running" for trial in trials)
        typer.echo(f"interrupted: {ended} trials have ended; the same command with --study-dir {folder} goes on")
        return 130
    best = best_of(trials)
    if failures:
        raise FrameworkError("\n".join(failures))
    if best is None:
        raise FrameworkError(f"no trial of the sweep is complete: {folder}")
    if asked.confirm:
        typer.echo(f"\nconfirm  trial {best.number} and the defaults, {asked.confirm} fresh seeds each")
        found = confirm(folder, definition, best, asked.confirm, asked.jobs, asked.on)
        return _conclude_confirmation(folder, definition, found)
    return 0


def _conclude_confirmation(folder: Path, definition: Definition, found: Confirmed) -> int:
    header = ["arm", f"{definition.objective}, seeds {found.seeds[0]} to {found.seeds[-1]}", "of each seed"]
    rows = [header, ["---"] * 3, ["best", str(found.best), ", ".join(map(shown, found.of_best))]]
    if found.defaults is not None:
        rows.append(["defaults", str(found.defaults), ", ".join(map(shown, found.of_defaults))])
    typer.echo(f"\n{padded(rows)}\n")
    typer.echo("The interquartile mean and its 95 % bootstrap interval. No trial was chosen by these seeds.")
    if found.better is not None:
        typer.echo(f"A run with the best values is better than one with the defaults with probability {found.better}")
    if found.note:
        typer.echo(found.note)
    if found.study.failures:
        raise FrameworkError("\n".join(["runs of the confirmation failed:", *map(str, found.study.failures)]))
    if found.study.interrupted:
        typer.echo(f"interrupted: the same command with --study-dir {folder} goes on")
        return 130
    return 0


def _collect(problems: list[str], attempt: Callable[[], T]) -> T | None:
    """The result of a check; None if it found problems, which are added."""
    try:
        return attempt()
    except UsageError as error:
        problems += error.problems
        return None


def _known_objective(name: str | None) -> None:
    if name is not None and name not in OBJECTIVES:
        near = did_you_mean(name, [*OBJECTIVES])
        raise UsageError(f"--objective {name}: not available.{near} Choose {listed([*OBJECTIVES], 'or')}")


def _check_evaluations(asked: Asked, checked: Checked) -> None:
    needs = [f"--objective {asked.objective}"] if asked.objective in OF_EVALUATIONS else []
    needs += [f"--pruner {asked.pruner}"] if asked.pruner != "none" else []
    if needs and not checked.evaluates:
        raise UsageError([f"{what} needs evaluations: set --eval-every" for what in needs])


def _definition(
    named: Sequence[str], config: Config, space: Mapping[str, Space], checked: Checked, asked: Asked
) -> Definition:
    return Definition(
        plugins=tuple(absolute(name) for name in named),
        values=checked.values,
        space=space,
        objective=asked.objective or ("last" if checked.evaluates else "final"),
        seed=config[RunOptions].seed,
        seeds=asked.seeds,
        sampler=asked.sampler,
        pruner=asked.pruner,
        points=asked.points,
    )


def _most(trials: int | None, definition: Definition) -> int:
    """The number of trials.

    Raises:
        UsageError: if a grid has more points than that.
    """
    if definition.sampler != "grid":
        return trials or TRIALS
    if trials is not None and trials < definition.grid:
        raise UsageError(
            f"--trials {trials}: the grid has {definition.grid} points: leave --trials out, lower --points or search "
            "fewer options"
        )
    return definition.grid


def _show(space: Mapping[str, Space], config: Config, over: Sequence[str]) -> None:
    given = {text.partition("=")[0].strip() for text in over if "=" in text}
    now = config.flat()
    rows = [["option", "space", "from", "without the sweep"], ["---"] * 4]
    for path, one in space.items():
        rows.append([path, str(one), "--over" if path in given else "the plugin", value_text(now[path])])
    typer.echo(padded(rows))
