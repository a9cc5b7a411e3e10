"""A process that works on the trials of a sweep, one run at a time, until none is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from framework.config import Source
from framework.errors import FrameworkError, UsageError
from framework.processes.executor import LOST, Executor
from framework.processes.executors import executor_of
from framework.processes.jobs import run_jobs
from framework.search.definition import Definition, read_sweep, trial_folder
from framework.search.ledger import Ledger, Trial
from framework.search.objective import objective_of
from framework.search.pruning import Pruning, mark_pruned
from framework.study.arms import Arm, check_arm
from framework.study.continuing import Continuation
from framework.study.results import finish
from framework.study.runs import Run

WAIT_SECONDS = 0.5
"""Time between two looks at the trials of other processes, when no other trial is left."""


class _Pruned(Exception):
    """Ends the run of a trial that is pruned."""


class _Failed(Exception):
    """Why a trial fails: its values are refused, a run failed, or it has no objective. Nothing else fails a trial."""


class _Interrupted(Exception):
    """Ctrl-C has ended the current run."""


class _Watcher:
    """Ends the run if its trial is pruned, lets it start again where that helps, and remembers how it ended."""

    def __init__(self, pruning: Pruning | None, continuation: Continuation) -> None:
        self._pruning, self._continuation = pruning, continuation
        self.code = 0

    def ended(self, job: Run, code: int, interrupted: bool) -> bool:
        self.code = code
        return not interrupted and code != 0 and self._continuation.starts_again(job, code)

    def interrupted(self) -> None:
        pass

    def tick(self, running: Sequence[Run]) -> None:
        if running and self._pruning is not None and self._pruning.is_pruned():
            raise _Pruned  # run_jobs then ends the run normally


def work(folder: Path, most: int, on: str) -> int:
    """Work on trials until the sweep has `most` of them and all have ended, and return the exit code.

    Args:
        on: the executor of the runs, by its name (`framework.processes.executors`).

    Raises:
        UsageError: if the folder has no sweep, it is damaged, or the executor refuses. The trial is then still to do.
    """
    with executor_of(on) as executor:
        return _work(folder, most, executor)


def _work(folder: Path, most: int, executor: Executor) -> int:
    definition = read_sweep(folder)
    ledger = Ledger(folder, definition)
    while True:
        claim = ledger.claim(most)
        if claim is None:
            return 0
        if claim == "others":
            time.sleep(WAIT_SECONDS)
            continue
        try:
            _run_trial(folder, definition, ledger, claim.trial, executor)
        except _Interrupted:
            return 130
        except _Failed as error:
            ledger.fail(claim.trial.number, str(error))
        finally:
            claim.lock.release()


def _run_trial(folder: Path, definition: Definition, ledger: Ledger, trial: Trial, executor: Executor) -> None:
    """Make the runs of a trial that are missing, and record its end.

    Raises:
        _Failed: why the trial fails.
        _Interrupted: if it has not ended.
        FrameworkError: if the executor, the disk or another process prevents its runs.
    """
    shared = Source("values of the sweep", definition.values, unread="refused")
    try:
        arm = check_arm(Arm(f"trial {trial.number}", definition.plugins, trial.values), [shared])
    except UsageError as error:
        raise _Failed("; ".join(error.problems)) from error
    of_seeds = []
    for seed in range(definition.seed, definition.seed + definition.seeds):
        run = Run(arm, seed, trial_folder(folder, trial.number) / f"seed-{seed}")
        # trials compete by the evaluations of their first seed, which is the same for all
        first = seed == definition.seed and definition.pruner != "none"
        pruning = Pruning(ledger, trial.number, run.folder) if first else None
        try:
            _complete(run, pruning, executor)
        except _Pruned:
            assert pruning is not None
            mark_pruned(run.folder, pruning.reason)
            run.drop_checkpoints()
            ledger.prune(trial.number, pruning.reason)
            return
        try:
            of_seeds.append(objective_of(run.folder, definition.objective))
        except FrameworkError as error:
            raise _Failed(str(error)) from error
    ledger.complete(trial.number, of_seeds)


def _complete(run: Run, pruning: Pruning | None, executor: Executor) -> None:
    """Run to the end what has no result yet, from its newest checkpoint if it has one.

    Raises:
        _Failed: if it fails.
        _Interrupted, _Pruned: if it ended because of that.
        FrameworkError: if the executor, the disk or another process prevents it.
    """
    if not run.is_complete:
        continuation = Continuation(print)
        continuation.prepare(run)
        watcher = _Watcher(pruning, continuation)
        if run_jobs([run], 1, watcher, executor):
            raise _Interrupted
        if watcher.code != 0:
            raise _Failed(f"seed {run.seed}: {_reason(run, watcher.code)}")
        finish(run)
    if pruning is not None and pruning.is_pruned():
        raise _Pruned


def _reason(run: Run, code: int) -> str:
    """The last error that the run printed, else how it ended."""
    lines = run.output.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    how = "lost with its machine" if code == LOST else f"exit code {code}" if code >= 0 else f"signal {-code}"
    # without the folder, so that the same reason is the same text
    return errors[-1].replace(f"{run.folder}/", "") if errors else f"{how}, see {run.output.name}"
