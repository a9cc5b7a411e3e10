"""Studies on the command line: the output before and after the runs, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from framework.assembly.configuration import plugin_names
from framework.config import Source
from framework.errors import FrameworkError, UsageError
from framework.processes.executor import Executor
from framework.processes.executors import executor_of
from framework.study.arms import Arm, CheckedArm, ablation, check_arm, refuse_unread
from framework.study.report import markdown_table, remarks
from framework.study.statistics import summarise
from framework.study.study import run_checked
from framework.training.run_folder import default_folder


@dataclass(frozen=True)
class Asked:
    """The options that both commands have, as they were given."""

    seeds: int
    jobs: int | None
    folder: Path | None
    on: str


def seeds_study(names: str | Sequence[str], sources: Sequence[Source], asked: Asked) -> int:
    """Run one composition with several seeds, and return the exit code."""
    executor = executor_of(asked.on)
    named = plugin_names(names)
    arm = check_arm(Arm(",".join(Path(name).stem for name in named), named), sources)
    refuse_unread([arm])
    return _run([arm], arm.notes, asked, asked.folder or default_folder(named, f"{asked.seeds}seeds"), executor)


def ablation_study(names: str | Sequence[str], sources: Sequence[Source], asked: Asked) -> int:
    """Run a composition, and the composition without each of its parts, and return the exit code."""
    executor = executor_of(asked.on)
    arms, notes = ablation(names, sources)
    return _run(arms, notes, asked, asked.folder or default_folder(plugin_names(names), "ablation"), executor)


def _run(arms: Sequence[CheckedArm], notes: Sequence[str], asked: Asked, folder: Path, executor: Executor) -> int:
    """
    Raises:
        UsageError: if the study is refused before any run starts.
        FrameworkError: if a run failed, after everything else has been printed.
    """
    for note in notes:
        typer.echo(note)
    seeds = range(arms[0].seed, arms[0].seed + asked.seeds)
    which = f"seeds {seeds[0]} to {seeds[-1]}" if asked.seeds > 1 else f"seed {seeds[0]}"
    typer.echo(f"arms     {', '.join(arm.label for arm in arms)} | {which}")
    typer.echo(f"folder   {folder}")
    try:
        study = run_checked(arms, seeds, folder, jobs=asked.jobs, on=executor, show_progress=True)
    except UsageError:
        with suppress(OSError):
            folder.rmdir()  # only if it is empty: nothing has begun
        raise
    if study.results:
        typer.echo(f"\n{markdown_table(summarise(study.results))}\n")
        for remark in remarks(study.results):
            typer.echo(remark)
        typer.echo(f"wrote {', '.join(str(folder / name) for name in ('summary.md', 'study.png', 'curves.png'))}")
    if study.failures:
        raised = FrameworkError(
            "\n".join([f"{len(study.failures)} of {study.planned} runs failed:", *map(str, study.failures)])
        )
        if not study.interrupted:
            raise raised
        typer.echo(f"error: {raised}", err=True)
    if study.interrupted:
        typer.echo(
            f"interrupted: {len(study.results)} of {study.planned} runs are complete; the same command with "
            f"--study-dir {folder} continues"
        )
        return 130
    return 0
