"""What the command `check` says of an arm's composition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from rich.console import Console

from framework.comparison.recorded import RecordedRun
from framework.conformance.runner.planning import plan
from framework.conformance.runner.report import failure, run_with_progress
from framework.conformance.runner.session import Request, composed
from framework.errors import FrameworkError
from framework.processes.limits import usable_cores
from framework.training.run_folder import recorded_plugins


@dataclass(frozen=True)
class Checked:
    """The verdicts, or why there are none."""

    counts: str = ""
    """ "120 passed, 3 failed, 40 not applicable"."""
    failures: tuple[str, ...] = ()
    """Every failure in full."""
    missing: str = ""
    """Why nothing was checked."""


def checked(run: RecordedRun) -> Checked:
    """Run all checks of a run's plugins, with the options that the harness suggests. Takes seconds to minutes.

    Progress goes to standard error. What cannot be checked becomes the reason why not.
    """
    try:
        names = recorded_plugins(run.folder, run.options)
        request = Request(",".join(names), jobs=usable_cores())
        with closing(plan(request)) as session:
            run_with_progress(session, Console(stderr=True), None)
    except FrameworkError as error:
        return Checked(missing=" ".join(getattr(error, "problems", None) or [str(error)]))
    found = [(names, finding) for names, findings in session.findings.items() for finding in findings]
    verdicts = Counter(finding.verdict for _, finding in found)
    left = sum(task.finding is None for task in session.tasks)
    counts = [f"{verdicts[verdict]:,} {verdict}" for verdict in ("passed", "failed", "not applicable")]
    counts += [f"{left} not run"] if left else []
    failures = tuple(
        failure(finding, session.again(names, finding.check)) for names, finding in found if finding.verdict == "failed"
    )
    return Checked(", ".join(counts), failures)


def command_for(plugins: Sequence[str]) -> str:
    """The command that checks these plugins."""
    return f"python -m framework check {composed(plugins)}"
