"""A complete study: checks the arms, makes the missing runs, reads the results and reports them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.config import Source
from framework.errors import UsageError
from framework.processes.executor import Executor
from framework.processes.executors import executor_of
from framework.processes.jobs import run_jobs
from framework.processes.local import Local
from framework.recording.files import readable
from framework.study.arms import OF_THE_STUDY, Arm, CheckedArm, check_arm, refuse_unread
from framework.study.folder import check_labels, open_study
from framework.study.progress import Failure, Progress
from framework.study.report import write_report
from framework.study.results import RunResult
from framework.study.runs import Run, runs_of
from framework.study.table import Table


@dataclass(frozen=True)
class Study:
    """The outcome of a study."""

    folder: Path
    planned: int
    """The number of all its runs."""
    results: tuple[RunResult, ...]
    """The results of the complete runs, in the order of the arms, then of the seeds."""
    failures: tuple[Failure, ...]
    interrupted: bool


def run_study(
    arms: Sequence[Arm],
    seeds: Sequence[int],
    folder: str | Path,
    *,
    values: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    on: str | Executor = "local",
    show_progress: bool = False,
) -> Study:
    """Run every arm with every seed, several runs at the same time, each in STUDY/ARM/seed-K. See `run_checked`.

    Args:
        arms: the arms to compare; the plots compare the others with the first one.
        seeds: the seeds of each arm's runs.
        folder: the study folder: a new one, or that of the same study, which then continues.
        values: options for all arms as {"section.key": value}.
        jobs: the largest number of runs at the same time; default: as many as the usable cores allow, given the threads
            of one run.
        on: where the runs are: "local", "ray", an address of Ray, "MODULE:NAME" or an executor
            (`framework.processes.executors`).
        show_progress: print progress.

    Raises:
        UsageError: before any run starts, if arms cannot be assembled or would never end (the message lists them all),
            if no arm reads one of the values, or if the seeds, jobs, executor or folder are invalid.
    """
    given = [Source("values of the study", values, unread="refused")] if values else []
    checked, problems = [], []
    for arm in arms:
        own = [path for path in OF_THE_STUDY if path in {**(values or {}), **arm.values}]
        problems += [f"arm '{arm.label}': the study itself sets {path}: remove it from the values" for path in own]
        try:
            checked.append(check_arm(arm, given))
        except UsageError as error:
            problems += [f"arm '{arm.label}': {problem}" for problem in error.problems]
    if problems:
        raise UsageError(problems)
    refuse_unread(checked)
    return run_checked(checked, seeds, folder, jobs=jobs, on=on, show_progress=show_progress)


def run_checked(
    arms: Sequence[CheckedArm],
    seeds: Sequence[int],
    folder: str | Path,
    *,
    jobs: int | None = None,
    on: str | Executor = "local",
    show_progress: bool = False,
) -> Study:
    """Run a study whose arms have been checked, and write its report (`write_report`) into its folder.

    A run with a result.json is complete and is not repeated. An unfinished run goes on from its newest checkpoint; if
    it has none, or the checkpoint is refused, its folder is moved aside and the run starts again. If a run fails, the
    others continue. The first Ctrl-C ends the running ones normally, and a second one kills them. SIGTERM terminates
    them. The table of the results (results.csv) has a row for each run as soon as the run ends.

    Raises:
        UsageError: before any run starts, if the labels, seeds, jobs, executor or folder are invalid, or if another
            process writes to a run.
    """
    _check_numbers(seeds, jobs)
    check_labels(arms)
    executor = executor_of(on)
    path = Path(folder)
    runs = runs_of(arms, seeds, path)
    with readable(path):
        complete = all(run.is_complete for run in runs)
    if complete:
        executor = Local()  # there is nothing to start elsewhere
    with executor:
        threads = max(arm.threads for arm in arms)
        room = executor.room(threads, max(arm.memory for arm in arms), jobs)
        with open_study(path, arms):
            waiting = [run for run in runs if not run.is_complete]
            at_once = max(1, min(len(waiting) if room is None else room, len(waiting)))
            with _display(len(runs), len(runs) - len(waiting), show_progress) as display:
                progress = Progress(display, Table(path, runs))
                crowd = at_once if room is not None else None
                progress.say(_plan(len(runs), len(waiting), crowd, threads, executor.cores))
                for run in waiting:
                    progress.continuation.prepare(run)
                interrupted = run_jobs(waiting, at_once, progress, executor)
            results = progress.table.results()
            if results:
                write_report(results, path, list(_missing(runs)))
    return Study(path, len(runs), results, tuple(progress.failures), interrupted)


def _display(total: int, complete: int, show_progress: bool) -> Any:
    if not show_progress:
        return nullcontext()
    from framework.study.display import StudyDisplay

    return StudyDisplay(total, complete)


def _plan(total: int, waiting: int, at_once: int | None, threads: int, cores: int | None) -> str:
    """Args:
    at_once: runs at the same time; None: as many as the executor finds room for.
    cores: of the executor, if it knows them.
    """
    there = f", {total - waiting} there already" if waiting < total else ""
    many = "as many at once as there is room for" if at_once is None else f"{at_once} at once"
    on = f" on {cores} cores" if cores else ""
    if cores and at_once is not None and at_once * threads > cores:
        on = f": more than the {cores} cores"
    return f"runs     {total}{there} | {many}, {threads} thread{'s' if threads > 1 else ''} each{on}"


def _check_numbers(seeds: Sequence[int], jobs: int | None) -> None:
    problems = []
    if not seeds or len(set(seeds)) < len(seeds) or any(seed < 0 or seed >= 2**63 for seed in seeds):
        problems.append(f"seeds must be different whole numbers from 0 on, and at least one, not {list(seeds)}")
    if jobs is not None and jobs < 1:
        problems.append(f"jobs = {jobs}: must be at least 1")
    if problems:
        raise UsageError(problems)


def _missing(runs: Sequence[Run]) -> Iterator[str]:
    left = [run.label for run in runs if not run.is_complete]
    if left:
        yield f"Not in this table, because they are not complete: {'; '.join(left)}."
