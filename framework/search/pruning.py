"""Tells a sweep the evaluations of a trial while it runs, and marks the run of a trial that is pruned."""

from __future__ import annotations

import json
from pathlib import Path

from framework.recording.files import replacing
from framework.recording.metrics import METRICS
from framework.search.ledger import Ledger

PRUNED = "pruned.json"
"""The file in a run folder that says that the run was ended because its trial was pruned."""


class Pruning:
    """Reports each evaluation of a run, in their order, until the pruner decides against the trial.

    An evaluation is reported once, also if the run goes on in another process, which writes rows after its checkpoint
    anew. A confirmation is none: it has the step of the evaluation before.
    """

    def __init__(self, ledger: Ledger, trial: int, run: Path) -> None:
        """
        Args:
            run: the run folder, which may not exist yet.
        """
        self._ledger, self._trial = ledger, trial
        self._metrics = run / METRICS
        self._reported = ledger.reported(trial)
        self._begin()
        self.reason = ""
        """Why the trial is pruned, if it is."""

    def is_pruned(self) -> bool:
        """Report the evaluations that the run has written since the last call, and return whether to end it."""
        while not self.reason and (mean := self._next()) is not None:
            if self._evaluations <= self._reported:
                continue
            self._reported = self._evaluations
            if self._ledger.report(self._trial, self._evaluations, mean):
                self.reason = f"after evaluation {self._evaluations}, with a mean return of {mean:g}"
        return bool(self.reason)

    def _begin(self) -> None:
        self._read, self._evaluations, self._last = 0, 0, b""

    def _next(self) -> float | None:
        """The mean of the next evaluation, if it has been written. One without a finished episode does not count."""
        try:
            with self._metrics.open("rb") as file:
                file.seek(self._read - len(self._last))
                if file.read(len(self._last)) != self._last:  # a run that goes on has removed rows
                    self._begin()
                    file.seek(0)
                while (line := file.readline()).endswith(b"\n"):
                    self._read, self._last = self._read + len(line), line
                    row = json.loads(line)
                    if row["kind"] == "evaluation" and row["mean"] is not None and "confirmation" not in row:
                        self._evaluations += 1
                        return float(row["mean"])
        except FileNotFoundError:
            self._begin()
        return None


def mark_pruned(run: Path, reason: str) -> None:
    """Write into a run folder that its run was pruned."""
    with replacing(run / PRUNED) as temporary:
        temporary.write_text(json.dumps({"reason": reason}) + "\n", encoding="utf-8")
