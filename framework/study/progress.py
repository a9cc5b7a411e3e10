"""What happens when a run of a study ends: its result is written, or it starts again, or it has failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framework.processes.executor import LOST
from framework.study.continuing import Continuation
from framework.study.runs import Run
from framework.study.statistics import shown
from framework.study.table import Table

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
        if self.code == LOST:
            how = "lost with its machine"
        text = self.run.output.read_text(encoding="utf-8", errors="replace") if self.run.output.exists() else ""
        lines = text.splitlines()[-OUTPUT_LINES:]
        return "\n".join([f"{self.run.folder}: {how}; {self.run.output} ends with", *(f"  {line}" for line in lines)])


class Progress:
    """Writes the result of each run that succeeds, remembers those that fail, and shows both."""

    def __init__(self, display: StudyDisplay | None, table: Table) -> None:
        self._display, self.table = display, table
        self.continuation = Continuation(self.say)
        self.failures: list[Failure] = []

    def say(self, text: str) -> None:
        if self._display is not None:
            self._display.say(text)

    def ended(self, job: Run, code: int, interrupted: bool) -> bool:
        if code == 0:
            result = self.table.add(job)
            seconds = "" if result.seconds is None else f", {result.seconds:,.1f} s"
            what = f"final return {shown(result.final)} after {result.steps:,} steps{seconds}"
        elif interrupted:
            self.say(f"{job.label} | interrupted")
            return False
        elif self.continuation.starts_again(job, code):
            return True
        else:
            self.failures.append(Failure(job, code))
            what = f"failed: {job.output}"
        if self._display is not None:
            self._display.ended(job, what)
        return False

    def interrupted(self) -> None:
        self.say("interrupted: the current runs end normally, and no new run starts; a second Ctrl-C kills them")

    def tick(self, running: Sequence[Run]) -> None:
        if self._display is not None:
            self._display.show_running(running)
