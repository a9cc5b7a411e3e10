"""A complete study: checks the arms, makes the missing runs, reads the results and reports them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework.config import Source
from framework.errors import UsageError
from framework.processes.jobs import run_jobs
from framework.processes.limits import available_memory, usable_cores
from framework.recording.files import replacing
from framework.recording.rows import to_json
from framework.study.arms import OF_THE_STUDY, Arm, CheckedArm, check_arm, refuse_unread
from framework.study.folder import check_labels, open_study, put_aside
from framework.study.report import write_report
from framework.study.results import RunResult, read_run
from framework.study.runs import RESULT, Run, runs_of
from framework.study.statistics import shown

if TYPE_CHECKING:
    from framework.study.display import StudyDisplay

OUTPUT_LINES = 15
"""How many of the last lines that a failed run printed are shown."""


@dataclass(frozen=True)
class Failure:
    """A run that failed."""

    run: Run
    code: int

    def __str__(self) -> str:
        """The run's folder, how it ended, and the last lines of its output."""
        how = f"exit code {self.code}" if self.code >= 0 else f"signal {-self.code}"
        lines = self.run.output.read_text(encoding="utf-8", errors="replace").splitlines()[-OUTPUT_LINES:]
        return "\n".join([f"{self.run.folder}: {how}; {self.run.output} ends with", *(f"  {line}" for line in lines)])


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
        show_progress: print progress.

    Raises:
        UsageError: before any run starts, if arms cannot be assembled or would never end (the message lists them all),
            if no arm reads one of the values, or if the seeds, jobs or folder are invalid.
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
    return run_checked(checked, seeds, folder, jobs=jobs, show_progress=show_progress)


def run_checked(
    arms: Sequence[CheckedArm],
    seeds: Sequence[int],
    folder: str | Path,
    *,
    jobs: int | None = None,
    show_progress: bool = False,
) -> Study:
    """Run a study whose arms have been checked, and write its report (`write_report`) into its folder.

    A run with a result.json is complete and is not repeated. The folder of an unfinished run is moved aside, and the
    run starts again. If a run fails, the others continue. The first Ctrl-C ends the running ones normally, and a second
    one kills them. SIGTERM terminates them.

    Raises:
        UsageError: before any run starts, if the labels, seeds, jobs or folder are invalid.
    """
    _check_numbers(seeds, jobs)
    check_labels(arms)
    path = Path(folder)
    runs = runs_of(arms, seeds, path)
    with open_study(path, arms):
        waiting = [run for run in runs if not run.is_complete]
        threads = max(arm.threads for arm in arms)
        room = available_memory() // max(1, *(arm.memory for arm in arms))
        at_once = max(1, min(jobs or usable_cores() // threads, room, len(waiting)))
        with _display(len(runs), len(runs) - len(waiting), show_progress) as display:
            progress = _Progress(display)
            progress.say(_plan(len(runs), len(waiting), at_once, threads))
            for run in waiting:
                aside = put_aside(run)
                if aside is not None:
                    progress.say(f"{run.folder} is unfinished: it is now {aside.name}, and the run starts again")
            interrupted = run_jobs(waiting, at_once, progress)
        order = {arm.label: position for position, arm in enumerate(arms)}
        done = sorted((run for run in runs if run.is_complete), key=lambda run: (order[run.arm.label], run.seed))
        results = tuple(read_run(run.folder, run.arm.label, run.seed) for run in done)
        if results:
            write_report(results, path, list(_missing(runs)))
    return Study(path, len(runs), results, tuple(progress.failures), interrupted)


class _Progress:
    """Writes the result of each run that succeeds, remembers those that fail, and shows both."""

    def __init__(self, display: StudyDisplay | None) -> None:
        self._display = display
        self.failures: list[Failure] = []

    def say(self, text: str) -> None:
        if self._display is not None:
            self._display.say(text)

    def ended(self, job: Run, code: int, interrupted: bool) -> None:
        if code == 0:
            result = read_run(job.folder, job.arm.label, job.seed)
            with replacing(job.folder / RESULT) as temporary:
                temporary.write_text(to_json(result.row()) + "\n", encoding="utf-8")
            seconds = "" if result.seconds is None else f", {result.seconds:,.1f} s"
            what = f"final return {shown(result.final)} after {result.steps:,} steps{seconds}"
        elif interrupted:
            self.say(f"{job.label} | interrupted")
            return
        else:
            self.failures.append(Failure(job, code))
            what = f"failed: {job.output}"
        if self._display is not None:
            self._display.ended(job, what)

    def interrupted(self) -> None:
        self.say("interrupted: the current runs end normally, and no new run starts; a second Ctrl-C kills them")

    def tick(self, running: Sequence[Run]) -> None:
        if self._display is not None:
            self._display.show_running(running)


def _display(total: int, complete: int, show_progress: bool) -> Any:
    if not show_progress:
        return nullcontext()
    from framework.study.display import StudyDisplay

    return StudyDisplay(total, complete)


def _plan(total: int, waiting: int, at_once: int, threads: int) -> str:
    there = f", {total - waiting} there already" if waiting < total else ""
    cores = usable_cores()
    crowded = f": more than the {cores} cores" if at_once * threads > cores else f" on {cores} cores"
    return f"runs     {total}{there} | {at_once} at once, {threads} thread{'s' if threads > 1 else ''} each{crowded}"


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
