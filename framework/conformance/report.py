"""What a person reads: progress, each failure in full, a table, one line at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from framework.conformance.running import Finding
from framework.conformance.session import Session, Task, composed

STYLES = {"passed": "green", "failed": "bold red", "not applicable": "dim"}


def run_with_progress(session: Session, console: Console) -> None:
    """Run the session's checks under a bar that counts them."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        line = bar.add_task("", total=len(session.tasks))

        def tell(task: Task, found: Finding | None) -> None:
            if found is None:
                bar.update(line, description=f"{task.check['component']}: {task.check['name']}")
            else:
                bar.advance(line)

        session.run(tell)


def print_report(session: Session, console: Console) -> None:
    """The failures, the table, the verdict."""
    for names, findings in session.findings.items():
        for found in findings:
            if found.verdict == "failed":
                console.print(failure(found, session.command(names, found.check)), highlight=False, markup=False)
                console.print()
    for names, findings in session.findings.items():
        console.print(table(composed(names), findings))
    for names, findings in session.findings.items():
        failed = [found.check for found in findings if found.verdict == "failed"]
        passed = sum(found.verdict == "passed" for found in findings)
        seconds = sum(found.seconds for found in findings)
        verdict = f"{len(failed)} failed, {passed} passed" if failed else f"all {passed} checks passed"
        left = len(findings) - passed - len(failed)
        console.print(
            f"{composed(names)}: {verdict}, {left} not applicable, {seconds:.1f} s", highlight=False, soft_wrap=True
        )


def failure(found: Finding, command: str) -> str:
    """One failure in full, as plain text."""
    lines = [
        f"FAILED {found.component}: {found.check}",
        f"  who       {found.owner}, which fills {found.slot}",
        f"  property  {found.says}",
    ]
    if found.why:
        lines.append(f"  but       {found.why}")
    else:
        lines += [f"  example   {found.example}", f"  expected  {found.expected}", f"  got       {found.got}"]
    for text, precedent in found.causes:
        lines.append(f"  cause?    {text}{f' (as in {precedent})' if precedent else ''}")
    return "\n".join([*lines, f"  again     {command}"])


def table(title: str, findings: Sequence[Finding]) -> Table:
    """One row a check; why one does not apply stands beside it."""
    result = Table("component", "check", "verdict", "seconds", title=escape(title), title_justify="left", box=None)
    before = ""
    for found in findings:
        verdict = f"not applicable: {found.why}" if found.verdict == "not applicable" else found.verdict
        result.add_row(
            found.component if found.component != before else "",
            escape(found.check),
            f"[{STYLES[found.verdict]}]{escape(verdict)}[/]",
            f"{found.seconds:.2f}",
        )
        before = found.component
    return result


def to_json(session: Session) -> str:
    """The same for a program."""
    return json.dumps(
        {
            "passed": session.passed,
            "seed": session.seed,
            "thorough": session.request.thorough,
            "compositions": [
                {
                    "plugins": list(names),
                    "findings": [
                        {**found.to_json(), "again": session.command(names, found.check)} for found in findings
                    ],
                }
                for names, findings in session.findings.items()
            ],
        },
        indent=2,
    )


def print_list(session: Session, console: Console) -> None:
    """Every chosen check with its property."""
    for names in dict.fromkeys(task.names for task in session.tasks):
        result = Table("component", "check", "property", title=escape(composed(names)), title_justify="left", box=None)
        for task in session.tasks:
            if task.names == names:
                result.add_row(task.check["component"], escape(task.check["name"]), escape(task.check["says"]))
        console.print(result)
