"""A complete run: checks, the run folder, the loop with its callbacks, and the outcome."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import TYPE_CHECKING

from framework.assembly.manager import ENGINE, Expected
from framework.assembly.parts import Parts, RunInfo
from framework.errors import FrameworkError, NonFiniteLoss, UsageError
from framework.events import Callback, EvaluationResult
from framework.options import CheckpointOptions, EvaluationOptions, RunOptions
from framework.processes.lifeline import STOP_SIGNALS
from framework.recording.events import EventFile
from framework.recording.states import save_state
from framework.training.blame import culprit, plugins_named
from framework.training.ends import check_ends
from framework.training.initial import initialise
from framework.training.loop import Loop
from framework.training.run_folder import create_run_folder, locked, withdraw_run_folder
from framework.training.trial import refuse_false_ends, warning_of
from framework.training.watchdog import watched
from framework.types import Counters

if TYPE_CHECKING:
    from framework.checkpoints.folder import Checkpoint
    from framework.training.aside import EvaluationProcess
    from framework.training.saver import PeriodicSaver

CALLBACKS = Expected(
    "a sequence of framework.events.Callback objects",
    lambda given: isinstance(given, Sequence) and all(isinstance(callback, Callback) for callback in given),
)


NON_FINITE = "non_finite.safetensors"
"""The file in the run folder for the batch whose loss was not finite."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    counters: Counters
    last_evaluation: EvaluationResult | None
    stopped_by: int | None
    """The signal that stopped the run, such as SIGINT after Ctrl-C; None for any other end."""
    out_of_time: bool
    """Whether `run.hours` ended the run."""
    longest_save: float
    """The longest time that training waited for a checkpoint, in seconds."""
    reason: str
    """The end that the run reached, in words: "5,000 steps". Empty if a signal or `run.hours` stopped it."""
    complaints: Sequence[str] = ()
    """What the user should know about the run: keys of record.info that no episode had."""

    @property
    def interrupted(self) -> bool:
        """Whether a signal stopped the run."""
        return self.stopped_by is not None


def train(
    parts: Parts,
    folder: str | Path | None = None,
    *,
    show_progress: bool = False,
    quiet: bool = False,
    callbacks: Sequence[Callback] = (),
    checkpoint: Checkpoint | None = None,
    new_episodes: bool = False,
    watchdog: bool = False,
) -> Outcome:
    """Train with assembled parts until the run ends.

    The first Ctrl-C, SIGTERM or SIGHUP ends the run normally after the current step, with a checkpoint. The same
    signal again ends the process at once.

    Args:
        parts: from `assemble`; their training environments are closed at the end.
        folder: where to record the run: a new or an empty folder. None records nothing.
        show_progress: print progress.
        quiet: of progress, only a line every ten seconds, and evaluations.
        callbacks: further callbacks, after those of the plugins.
        checkpoint: of the run in `folder`, which continues from there.
        new_episodes: if the environments do not repeat the episodes that were running then, begin new ones, with a
            warning.
        watchdog: end the whole process if the run hangs, as the option run.watchdog says; not under a debugger.

    Raises:
        UsageError: if the run would never end, the folder has files in it, the parts were trained before, or the
            checkpoint's state or the weights of run.init_from do not fit.
        NonFiniteLoss: if a loss is NaN or infinite; the batch is saved in RUN/non_finite.safetensors.
        PluginError: if a plugin raises an error; the message names the plugin, the hook and the line.
        FrameworkError: if a checkpoint cannot be written.
    """
    with ExitStack() as at_the_end:
        at_the_end.callback(parts.close)
        check_ends(parts)
        if parts.counters.env_steps:
            raise UsageError("these parts have been trained already: assemble new ones for another run")
        if checkpoint is None:
            initialise(parts)
            refuse_false_ends(parts)
        path = Path(folder) if folder is not None else None
        if path is not None:
            if checkpoint is None:
                create_run_folder(path, parts)
            at_the_end.enter_context(locked(path))
        events = at_the_end.enter_context(closing(_event_file(path, parts, checkpoint))) if path is not None else None
        info = RunInfo(parts, path, show_progress, quiet, events)
        try:
            gathered = parts.plugins.gather("make_callbacks", CALLBACKS, config=parts.config, run=info)
        except UsageError:
            if path is not None and checkpoint is None:
                withdraw_run_folder(path)
            raise
        made = [callback for _, given in gathered for callback in given]
        owners = {id(callback): plugin for plugin, given in gathered for callback in given}
        saver = _saver(parts, path, checkpoint)
        options = parts.config[EvaluationOptions]
        aside = at_the_end.enter_context(_evaluation_process(parts)) if options.every and options.lag else None
        loop = Loop(parts, [*made, *callbacks], saver, partial(_dispensable, parts, owners), aside)
        if checkpoint is not None:
            from framework.training.contents import restore

            if restore(loop, checkpoint, new_episodes=new_episodes):
                print(
                    "warning: the environments do not repeat the episodes that were running: new ones begin",
                    file=sys.stderr,
                )
        if saver is not None and checkpoint is None and show_progress:
            warning = warning_of(parts)
            if warning:
                print(warning, file=sys.stderr, flush=True)
        patience = parts.config[RunOptions].watchdog if watchdog and sys.gettrace() is None else 0
        hours = parts.config[RunOptions].hours
        with (
            _interruptible(loop) as received,
            _limited(loop, hours) as out_of_time,
            watched(loop, patience, path),
            _explained(loop, path),
        ):
            loop.run()
    stopped_by = received[0] if received else None
    longest = saver.longest if saver else 0.0
    return Outcome(
        loop.counters, loop.last_evaluation, stopped_by, out_of_time.is_set(), longest, loop.reason, loop.complaints
    )


def _event_file(folder: Path, parts: Parts, checkpoint: Checkpoint | None) -> EventFile:
    return EventFile(folder, parts.config.flat(), checkpoint.env_steps + 1 if checkpoint else None)


def _dispensable(parts: Parts, owners: Mapping[int, str], callback: Callback, error: Exception) -> bool:
    """Whether a run continues without a callback that raised: one that a plugin brought, such as a tracker. Then warn.

    The engine's own callbacks record the run, and those that the caller gave may end it on purpose.
    """
    plugin = owners.get(id(callback), ENGINE)
    if plugin == ENGINE or isinstance(error, FrameworkError):
        return False
    found = culprit(walk_tb(error.__traceback__), parts, [callback])
    print(
        f"warning: plugin '{plugin}' raised {type(error).__name__}: {error}{f' (at {found.place})' if found else ''}; "
        f"the run continues without its {type(callback).__name__}",
        file=sys.stderr,
        flush=True,
    )
    return True


@contextmanager
def _explained(loop: Loop, folder: Path | None) -> Iterator[None]:
    """Turn a plugin's error into one that names the plugin; save the batch of a loss that is not finite."""
    try:
        with plugins_named(loop.parts, loop.callbacks):
            yield
    except NonFiniteLoss as error:
        if folder is None:
            raise
        path = folder / NON_FINITE
        try:
            save_state(path, error.evidence)
            kept = f"The batch is in {path}"
        except (FrameworkError, OSError) as refusal:
            kept = f"The batch could not be saved: {refusal}"
        raise NonFiniteLoss(f"{error}. {kept}", error.ids, error.evidence) from None


def _saver(parts: Parts, folder: Path | None, base: Checkpoint | None) -> PeriodicSaver | None:
    every = parts.config[CheckpointOptions].every
    if folder is None or not every or not parts.stream.restorable:
        return None
    from framework.checkpoints.folder import CheckpointFolder
    from framework.training.saver import PeriodicSaver

    return PeriodicSaver(CheckpointFolder(folder), every, base)


@contextmanager
def _evaluation_process(parts: Parts) -> Iterator[EvaluationProcess]:
    from framework.training.aside import EvaluationProcess

    process = EvaluationProcess(parts)
    try:
        yield process
    finally:
        process.close()


@contextmanager
def _limited(loop: Loop, hours: float | None) -> Iterator[threading.Event]:
    """Stop the loop after this time, or after the evaluation under way then. The event is set if that ended the run.

    The evaluation is played to its end: a run that continues would begin it again, and might never get beyond it.
    """
    is_over = threading.Event()
    if hours is None:
        yield is_over
        return

    def stop() -> None:
        if not loop.finished:
            is_over.set()
            loop.stop(abandon=False)

    timer = threading.Timer(3600 * hours, stop)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    finally:
        timer.cancel()


@contextmanager
def _interruptible(loop: Loop) -> Iterator[list[int]]:
    """Let one of `STOP_SIGNALS` stop the loop; the list then begins with it. The same again ends the process at once.

    Outside the main thread, do nothing. A signal that the process ignores, as under nohup, stays ignored.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def stop(number: int, frame: FrameType | None) -> None:
        if number in received:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        received.append(number)  # a batch system may send two kinds at once
        loop.stop()

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
