"""How an unfinished run of a study goes on: from its checkpoint, or from the beginning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from framework.errors import UsageError
from framework.processes.executor import LOST
from framework.processes.swap import put_back
from framework.study.folder import put_aside
from framework.study.runs import Run
from framework.training.run_folder import locked

PATIENCE = 30.0
"""Seconds to wait for an earlier process of a run, which ends soon after its study: `framework.cli.child`."""

MOST_LOSSES = 3
"""A run that is lost with its machine more often than this has failed."""


class Continuation:
    """Decides how each unfinished run of a study starts, and whether a run that has ended starts again."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Args:
        say: tells the user something.
        """
        self._say = say
        self._resumed: set[Path] = set()
        self._aside: dict[Path, Path] = {}
        self._losses: Counter[Path] = Counter()

    def prepare(self, run: Run) -> None:
        """Before a run starts: leave a folder with a checkpoint where it is, and move one without a checkpoint aside.

        Raises:
            UsageError: if another process still writes to the run.
        """
        put_back(run.folder)
        if not run.folder.exists():
            run.output.unlink(missing_ok=True)
            return
        with locked(run.folder, PATIENCE):
            pass
        if run.has_checkpoint:
            self._resumed.add(run.folder)
            self._say(f"{run.folder} is unfinished: the run goes on from its checkpoint")
        else:
            self._begin_anew(run, "has no checkpoint")

    def starts_again(self, run: Run, code: int) -> bool:
        """Whether a run that ended with this code starts again: it is lost, or its checkpoint is refused."""
        if code == LOST:
            return self._after_a_loss(run)
        if code != UsageError.exit_code:
            return False
        if run.folder in self._resumed:
            return self._after_a_refusal(run)
        if run.folder in self._aside and not run.folder.exists():
            # the new run is refused, too, so the checkpoint was not to blame: it waits for the next time
            self._aside.pop(run.folder).rename(run.folder)
            self._say(f"{run.folder}: a new run is refused, too, so the unfinished one is there again")
        return False

    def _after_a_loss(self, run: Run) -> bool:
        self._losses[run.folder] += 1
        if self._losses[run.folder] > MOST_LOSSES:
            return False
        self._say(f"{run.label} | lost with its machine")
        try:
            self.prepare(run)
        except UsageError as error:
            self._say(str(error))
            return False
        return True

    def _after_a_refusal(self, run: Run) -> bool:
        try:
            with locked(run.folder):
                pass
        except UsageError:  # not the checkpoint is to blame, but another process
            return False
        self._resumed.discard(run.folder)
        self._aside[run.folder] = self._begin_anew(run, f"cannot go on ({_last_error(run.output)})")
        return True

    def _begin_anew(self, run: Run, why: str) -> Path:
        aside = put_aside(run)
        self._say(f"{run.folder} is unfinished and {why}: it is now {aside.name}, and the run starts again")
        return aside


def _last_error(output: Path) -> str:
    """The error with which a run ended, which may have several lines."""
    lines = output.read_text(encoding="utf-8", errors="replace").splitlines()
    first = len(lines)
    while first and lines[first - 1].startswith("error:"):
        first -= 1
    return "; ".join(line.removeprefix("error:").strip() for line in lines[first:]) or "no reason given"
