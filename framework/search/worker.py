"""A process that works on the trials of a sweep, one run at a time, until none is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from framework.checkpoints.folder import FOLDER as CHECKPOINTS
from framework.checkpoints.folder import LATEST
from framework.config import Source
from framework.errors import FrameworkError, UsageError
from framework.processes.jobs import Job, run_jobs
from framework.recording.files import replacing
from framework.recording.rows import to_json
from framework.search.definition import Definition, read_sweep, trial_folder
from framework.search.ledger import Ledger, Trial
from framework.search.objective import objective_of
from framework.search.pruning import Pruning, mark_pruned
from framework.study.arms import Arm, check_arm
from framework.study.folder import put_aside
from framework.study.results import read_run
from framework.study.runs import RESULT, Run
from framework.training.run_folder import LOCK as RUN_LOCK

WAIT_SECONDS = 0.5
"""Time between two looks at the trials of other processes, when no other trial is left."""


class _Pruned(Exception):
    """Ends the run of a trial that is pruned."""


class _Interrupted(Exception):
    """Ctrl-C has ended the current run."""


@dataclass(frozen=True)
class _Resumed:
    """A run that goes on from its last checkpoint."""

    run: Run

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "framework.cli.child", "run", f"--resume={self.run.folder}"]

    @property
    def output(self) -> Path:
        return self.run.output


class _Watcher:
    """Ends the run if its trial is pruned, and remembers how it ended."""

    def __init__(self, pruning: Pruning | None) -> None:
        self._pruning = pruning
        self.code = 0

    def ended(self, job: Job, code: int, interrupted: bool) -> None:
        self.code = code

    def interrupted(self) -> None:
        pass

    def tick(self, running: Sequence[Job]) -> None:
        if running and self._pruning is not None and self._pruning.is_pruned():
            raise _Pruned  # run_jobs then ends the run normally


def work(folder: Path, most: int) -> int:
    """Work on trials until the sweep has `most` of them and all have ended, and return the exit code.

    Raises:
        UsageError: if the folder has no sweep.
    """
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
            _run_trial(folder, definition, ledger, claim.trial)
        except _Interrupted:
            return 130
        except FrameworkError as error:
            ledger.fail(claim.trial.number, "; ".join(getattr(error, "problems", None) or [str(error)]))
        finally:
            claim.lock.release()


def _run_trial(folder: Path, definition: Definition, ledger: Ledger, trial: Trial) -> None:
    """Make the runs of a trial that are missing, and record its end.

    Raises:
        FrameworkError: why the trial fails.
        _Interrupted: if it has not ended.
    """
    shared = Source("values of the sweep", definition.values, unread="refused")
    arm = check_arm(Arm(f"trial {trial.number}", definition.plugins, trial.values), [shared])
    of_seeds = []
    for seed in range(definition.seed, definition.seed + definition.seeds):
        run = Run(arm, seed, trial_folder(folder, trial.number) / f"seed-{seed}")
        # trials compete by the evaluations of their first seed, which is the same for all
        first = seed == definition.seed and definition.pruner != "none"
        pruning = Pruning(ledger, trial.number, run.folder) if first else None
        try:
            _complete(run, pruning)
        except _Pruned:
            assert pruning is not None
            mark_pruned(run.folder, pruning.reason)
            ledger.prune(trial.number, pruning.reason)
            return
        of_seeds.append(objective_of(run.folder, definition.objective))
    ledger.complete(trial.number, of_seeds)


def _complete(run: Run, pruning: Pruning | None) -> None:
    """Run to the end what has no result yet.

    Raises:
        FrameworkError: if it fails.
        _Interrupted, _Pruned: if it ended because of that.
    """
    if not run.is_complete:
        code = _start(run, pruning)
        if code != 0:
            raise FrameworkError(f"seed {run.seed}: {_reason(run, code)}")
        with replacing(run.folder / RESULT) as temporary:
            temporary.write_text(to_json(read_run(run.folder, run.arm.label, run.seed).row()) + "\n", encoding="utf-8")
    if pruning is not None and pruning.is_pruned():
        raise _Pruned


def _start(run: Run, pruning: Pruning | None) -> int:
    """Start the run, or go on with it if it has a checkpoint, and return its exit code."""
    _wait_until_left(run.folder)
    if run.arm.values.get("checkpoint.every") and (run.folder / CHECKPOINTS / LATEST).is_file():
        code = _watched(_Resumed(run), pruning)
        if code != UsageError.exit_code:  # else its checkpoint cannot be continued, and the run starts again
            return code
    put_aside(run)
    return _watched(run, pruning)


def _wait_until_left(run: Path) -> None:
    """Wait until no process writes to a run folder: that of a worker that was killed ends within seconds."""
    if (run / RUN_LOCK).is_file():
        with FileLock(run / RUN_LOCK):
            pass


def _watched(job: Job, pruning: Pruning | None) -> int:
    watcher = _Watcher(pruning)
    if run_jobs([job], 1, watcher):
        raise _Interrupted
    return watcher.code


def _reason(run: Run, code: int) -> str:
    """The last error that the run printed, else how it ended."""
    lines = run.output.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    how = f"exit code {code}" if code >= 0 else f"signal {-code}"
    # without the folder, so that the same reason is the same text
    return errors[-1].replace(f"{run.folder}/", "") if errors else f"{how}, see {run.output.name}"
