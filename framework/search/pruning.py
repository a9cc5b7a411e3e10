"""Tells a sweep the evaluations of a trial while it runs, and marks the run of a trial that is pruned."""

from __future__ import annotations

import json
from pathlib import Path

from framework.recording.files import replacing
from framework.recording.metrics import METRICS
from framework.recording.rows import NewRows
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
        self._rows = NewRows(run / METRICS)
        self._evaluations = 0
        """Evaluations in the rows that were read."""
        self._reported = ledger.reported(trial)
        self.reason = ""
        """Why the trial is pruned, if it is."""

    def is_pruned(self) -> bool:
        """Report the evaluations that the run has written since the last call, and return whether to end it."""
        rows, anew = self._rows.take()
        if anew:
            self._evaluations = 0
        for row in rows:
            # an evaluation without a finished episode has no mean, and does not count
            if row["kind"] != "evaluation" or row["mean"] is None or "confirmation" in row or self.reason:
                continue
            self._evaluations += 1
            if self._evaluations <= self._reported:
                continue
            self._reported, mean = self._evaluations, float(row["mean"])
            if self._ledger.report(self._trial, self._evaluations, mean):
                self.reason = f"after evaluation {self._evaluations}, with a mean return of {mean:g}"
        return bool(self.reason)


def mark_pruned(run: Path, reason: str) -> None:
    """Write into a run folder that its run was pruned."""
    with replacing(run / PRUNED) as temporary:
        temporary.write_text(json.dumps({"reason": reason}) + "\n", encoding="utf-8")
