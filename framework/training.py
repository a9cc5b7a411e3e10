"""A whole run: checks, the run's folder, the loop with its callbacks, and what is left at the end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from framework.assembly import Parts, RunInfo
from framework.composition import ENDS
from framework.errors import UsageError
from framework.events import Callback, EvaluationResult
from framework.loop import Loop
from framework.manager import Expected
from framework.options import CheckpointOptions, EvaluationOptions, RunOptions
from framework.run_folder import create_run_folder
from framework.types import Counters

if TYPE_CHECKING:
    from framework.checkpoints.folder import Checkpoint
    from framework.checkpoints.saver import PeriodicSaver

CALLBACKS = Expected(
    "a sequence of framework.events.Callback objects",
    lambda given: isinstance(given, Sequence) and all(isinstance(callback, Callback) for callback in given),
)


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    counters: Counters
    last_evaluation: EvaluationResult | None
    interrupted: bool
    longest_save: float
    """Seconds for which a checkpoint kept training waiting, at most."""


def check_ends(parts: Parts) -> None:
    """Refuse a run that would never end.

    Raises:
        UsageError: if no end is set, or `run.until` without evaluations.
    """
    options = parts.config[RunOptions]
    if not any(getattr(options, end.partition(".")[2]) is not None for end in ENDS):
        raise UsageError("the run has no end: set one with --steps, --episodes or --until")
    if options.until is not None and not parts.config[EvaluationOptions].every:
        source = parts.config.sources.get("run.until", "default")
        raise UsageError(
            f"run.until = {options.until} (from {source}) needs evaluations: set evaluation.every, for example with "
            "--eval-every 10000, or --set run.until=none"
        )


def train(
    parts: Parts,
    folder: str | Path | None = None,
    *,
    show_progress: bool = False,
    callbacks: Sequence[Callback] = (),
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Run assembled parts to their end.

    The first Ctrl-C finishes the step under way and ends the run in good order; a second one stops at once.

    Args:
        parts: from `assemble`; their training environments are closed at the end.
        folder: where to record the run; it must not exist or be empty. None records nothing.
        show_progress: print progress.
        callbacks: further listeners.
        checkpoint: of the run in `folder`, which goes on from there.

    Raises:
        UsageError: if the run would never end, the folder is in use, or the parts were trained before.
        NonFiniteLoss: if a loss is NaN or infinite.
        FrameworkError: if the checkpoint's state does not fit, or a checkpoint cannot be written.
    """
    try:
        check_ends(parts)
        if parts.counters.env_steps:
            raise UsageError("these parts have been trained already: assemble new ones for another run")
        path = Path(folder) if folder is not None else None
        if path is not None and checkpoint is None:
            create_run_folder(path, parts)
        info = RunInfo(parts, path, show_progress)
        made = [
            callback
            for _, given in parts.plugins.gather("make_callbacks", CALLBACKS, config=parts.config, run=info)
            for callback in given
        ]
        saver = _saver(parts, path, checkpoint)
        loop = Loop(parts, [*made, *callbacks], saver)
        if checkpoint is not None:
            from framework.checkpoints.contents import restore

            restore(loop, checkpoint)
        with _interruptible(loop) as interrupted:
            loop.run()
    finally:
        parts.close()
    return Outcome(loop.counters, loop.last_evaluation, bool(interrupted), saver.longest if saver else 0.0)


def _saver(parts: Parts, folder: Path | None, base: Checkpoint | None) -> PeriodicSaver | None:
    every = parts.config[CheckpointOptions].every
    if folder is None or not every or not parts.stream.restorable:
        return None
    from framework.checkpoints.folder import CheckpointFolder
    from framework.checkpoints.saver import PeriodicSaver

    return PeriodicSaver(CheckpointFolder(folder), every, base)


@contextmanager
def _interruptible(loop: Loop) -> Iterator[list[int]]:
    """Let the first SIGINT stop the loop; the list then holds it. Elsewhere than in the main thread, do nothing."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        loop.stop()

    signal.signal(signal.SIGINT, stop)
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, before)
