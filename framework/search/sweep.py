"""A sweep: starts the processes that work on its trials, shows what they do, and reports what was found."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from framework.processes.executors import executor_of, shared_name
from framework.processes.jobs import run_jobs
from framework.search.definition import Definition, trial_folder
from framework.search.ledger import Ledger, Trial, best_of
from framework.study.arms import CheckedArm
from framework.study.display import StudyDisplay
from framework.study.runs import RESULT
from framework.study.statistics import shown

WORKERS = "workers"
"""The folder for the output of processes."""
LOOK_SECONDS = 0.5
"""Time between two looks at the trials."""
OUTPUT_LINES = 15


@dataclass(frozen=True)
class Worker:
    """A process that works on the trials of a folder (`framework.search.worker`)."""

    folder: Path
    trials: int
    number: int
    on: str
    """The executor of the runs."""

    @property
    def command(self) -> list[str]:
        own = (sys.executable, "-m", "framework.cli.child", "sweep-worker")
        return [*own, f"--trials={self.trials}", f"--on={self.on}", "--", str(self.folder)]

    @property
    def output(self) -> Path:
        return self.folder / WORKERS / f"{socket.gethostname()}-{os.getpid()}-{self.number}.txt"


@dataclass(frozen=True)
class Searched:
    """How the processes of this sweep ended."""

    trials: tuple[Trial, ...]
    failures: tuple[str, ...]
    """What processes that failed printed last."""
    interrupted: bool


def search(
    folder: Path, definition: Definition, arm: CheckedArm, most: int, jobs: int | None, on: str = "local"
) -> Searched:
    """Work on the sweep in a folder until it has `most` trials and all of them have ended, here and elsewhere.

    The first Ctrl-C ends the current runs normally, and a second one kills them. The folder can be continued.

    Args:
        folder: opened with this definition (`open_sweep`).
        arm: the composition with the largest threads and memory of the space.
        jobs: the largest number of runs at the same time; None: as many as cores and memory allow.
        on: where the runs are (`framework.processes.executors`). The workers are always children of this process.

    Raises:
        UsageError: if the executor refuses.
    """
    with executor_of(on) as executor:
        room = executor.room(arm.threads, arm.memory, jobs)
        return _search(folder, definition, most, room or (executor.cores or 1) // arm.threads, shared_name(on))


def _search(folder: Path, definition: Definition, most: int, room: int, on: str) -> Searched:
    ledger = Ledger(folder, definition)
    ended = sum(trial.state != "running" for trial in ledger.trials())
    at_once = max(1, min(room, most - ended))
    workers = [Worker(folder, most, number, on) for number in range(at_once)] if ended < most else []
    with StudyDisplay(most, ended, what="trials") as display:
        there = f", {ended} there already" if ended else ""
        display.say(f"trials   {most}{there} | {at_once} run{'s' if at_once > 1 else ''} at once")
        progress = _Progress(ledger, folder, display)
        interrupted = run_jobs(workers, at_once, progress)
        progress.look()
    for worker in workers:
        if not progress.failures:
            worker.output.unlink(missing_ok=True)
    if (folder / WORKERS).is_dir() and not any((folder / WORKERS).iterdir()):
        (folder / WORKERS).rmdir()
    return Searched(tuple(ledger.trials()), tuple(progress.failures), interrupted)


@dataclass(frozen=True)
class _Shown:
    """A trial as the display shows it, with the folder of its current run."""

    label: str
    folder: Path


@dataclass
class _Progress:
    """Shows the trials of all processes that work on the folder, as the journal knows them."""

    ledger: Ledger
    folder: Path
    display: StudyDisplay
    failures: list[str] = field(default_factory=list)
    known: set[int] = field(init=False)
    best: Trial | None = field(init=False)
    due: float = 0.0

    def __post_init__(self) -> None:
        trials = self.ledger.trials()
        self.known = {trial.number for trial in trials if trial.state != "running"}
        self.best = best_of(trials)

    def ended(self, job: Worker, code: int, interrupted: bool) -> bool:
        if code != 0 and not interrupted:
            lines = job.output.read_text(encoding="utf-8", errors="replace").splitlines()[-OUTPUT_LINES:]
            how = f"exit code {code}" if code > 0 else f"signal {-code}"
            self.failures.append("\n".join([f"a process of the sweep: {how}; {job.output} ends with", *lines]))
        return False

    def interrupted(self) -> None:
        self.display.say("interrupted: the current runs end normally, and no other starts; a second Ctrl-C kills them")

    def tick(self, running: Sequence[Worker]) -> None:
        if time.monotonic() >= self.due:
            self.look()
            self.due = time.monotonic() + LOOK_SECONDS

    def look(self) -> None:
        """Print the trials that have ended since the last look, and show the others."""
        trials = self.ledger.trials()
        for trial in trials:
            if trial.state == "running" or trial.number in self.known:
                continue
            self.known.add(trial.number)
            self.best = best_of([trial, *([self.best] if self.best else [])])
            place = trial_folder(self.folder, trial.number)
            self.display.ended(_Shown(f"trial {trial.number}", place), self._told(trial))
        self.display.show_running([self._running(trial) for trial in trials if trial.state == "running"])

    def _told(self, trial: Trial) -> str:
        if trial.state != "complete":
            return f"{trial.state}: {trial.reason}"
        best = "the best so far" if self.best in (trial, None) else f"best {shown(self.best.value)}"
        return f"{shown(trial.value)}, {best} | {values_text(trial)}"

    def _running(self, trial: Trial) -> _Shown:
        place = trial_folder(self.folder, trial.number)
        runs = [run for run in place.glob("seed-*") if run.name[-1].isdigit() and "." not in run.name]
        current = next((run for run in runs if not (run / RESULT).is_file()), place)
        which = f", {current.name.replace('-', ' ')}" if current != place else ""
        return _Shown(f"trial {trial.number}{which} | {values_text(trial)}", current)


def values_text(trial: Trial) -> str:
    """The values of a trial for people: "dqn.learning_rate=0.00123, target.every=500"."""
    return ", ".join(f"{path}={value_text(value)}" for path, value in trial.values.items())


def value_text(value: object) -> str:
    """A value for people, with at most four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
