"""The table of a study: the results of its complete runs, and results.csv, which has them at any time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from framework.study.report import write_table
from framework.study.results import RunResult, finish, read_run
from framework.study.runs import Run


class Table:
    """The results of the complete runs, and results.csv, which has them at any time."""

    def __init__(self, folder: Path, runs: Sequence[Run]) -> None:
        """Read the results of the runs that are complete already.

        Args:
            folder: the study folder.
            runs: all runs of the study.
        """
        self._folder, self._runs = folder, runs
        self._known = {run.folder: read_run(run.folder, run.arm.label, run.seed) for run in runs if run.is_complete}
        self._write()

    def add(self, run: Run) -> RunResult:
        """Read the result of a run that has ended in good order. From now on, it is complete."""
        result = finish(run)
        self._known[run.folder] = result
        self._write()
        return result

    def results(self) -> tuple[RunResult, ...]:
        """In the order of the arms, then of the seeds."""
        arms = list(dict.fromkeys(run.arm.label for run in self._runs))
        known = [run for run in self._runs if run.folder in self._known]
        return tuple(
            self._known[run.folder] for run in sorted(known, key=lambda run: (arms.index(run.arm.label), run.seed))
        )

    def _write(self) -> None:
        if self._known:
            write_table(self.results(), self._folder)
