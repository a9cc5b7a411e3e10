"""Prints progress, each failure in full, a table and the totals, or writes the same as JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from framework.conformance.runner.execution import Finding
from framework.conformance.runner.session import PATIENCE, Session, Task, composed

STYLES = {"passed": "green", "failed": "bold red", "not applicable": "dim"}


def run_with_progress(session: Session, console: Console, out: Console | None) -> None:
    """Run the session's checks with a progress bar. Print each failure in full as soon as it is found.

    Args:
        console: the console of the bar.
        out: the console of the failures; None prints no failures.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    if out:
        print_failures(session, out)  # those that were found while planning
    with Progress(*columns, console=console, transient=True) as bar:
        line = bar.add_task("", total=len(session.waiting))
        at_a_time = threading.Lock()

        def tell(task: Task) -> None:
            if task.finding is None:
                bar.update(line, description=f"{task.failed['component']}: {task.failed['check']}")
                return
            bar.advance(line)
            if out and task.finding.verdict == "failed":
                with at_a_time:
                    bar.stop()  # because the bar may be on the same terminal
                    _print_failure(session, task.names, task.finding, out)
                    bar.start()

        session.run(tell)


def print_plan(session: Session, console: Console) -> None:
    """Print which compositions are going to be checked, and which do not fit, and why."""
    for names in dict.fromkeys(task.names for task in session.tasks):
        _say(f"checking {composed(names)}", console)
    for refused in session.refused:
        _say(f"not checked with {session.request.added(refused.names)}: {'; '.join(refused.problems)}", console)
    if session.request.thorough:
        _say(f"thorough, with the examples of seed {session.seed}", console)


def print_report(session: Session, console: Console, everything: bool = False) -> None:
    """Print the tables and the totals. Name the failed checks again, because a table may be long.

    Args:
        everything: also list checks that do not apply. They are listed anyway if no other check was made.
    """
    for names, findings in session.findings.items():
        applied = [found for found in findings if found.verdict != "not applicable"]
        if findings:
            console.print(table(composed(names), findings if everything else applied or findings))
    for names, findings in session.findings.items():
        failed = [found.check for found in findings if found.verdict == "failed"]
        passed = sum(found.verdict == "passed" for found in findings)
        seconds = sum(found.seconds for found in findings)
        counts = {
            "failed": len(failed),
            "passed": passed,
            "not applicable": len(findings) - passed - len(failed),
            "not run": sum(task.names == names for task in session.waiting),
        }
        words = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        if counts["not applicable"] and not everything:
            words = words.replace("not applicable", "not applicable (--all says why)")
        if not failed and not passed:
            words = f"nothing was checked, {words}"
        _say(f"{composed(names)}: {words}, {seconds:.1f} s", console)
        for name in failed:
            _say(f"  failed: {name}", console)
        if session.gave_up(names):
            _say(f"  stopped after {PATIENCE} checks that hung, took too much memory or ended the process", console)


def print_failures(session: Session, console: Console) -> None:
    """Print each failure in full."""
    for names, found in _failures(session):
        _print_failure(session, names, found, console)


def _print_failure(session: Session, names: Sequence[str], found: Finding, console: Console) -> None:
    _say(failure(found, session.again(names, found.check)), console)
    console.print()


def _failures(session: Session) -> Iterator[tuple[tuple[str, ...], Finding]]:
    for names, findings in session.findings.items():
        yield from ((names, found) for found in findings if found.verdict == "failed")


def _say(text: str, console: Console) -> None:
    """Print plain text without breaking its lines, so that they can be copied."""
    console.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)


def failure(found: Finding, command: str) -> str:
    """One failure in full, as plain text."""
    lines = [
        f"FAILED {found.component}: {found.check}",
        f"  who       {found.owner}{f', which fills {found.slot}' if found.slot else ''}",
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
    """One row for each check, with the reason if it does not apply."""
    columns = ("component", Column("check", overflow="fold"), "verdict", "seconds")
    result = Table(*columns, title=escape(title), title_justify="left", box=None)
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
    """All findings as JSON."""
    compositions = [
        {
            "plugins": list(names),
            "findings": [_as_json(session, names, found) for found in findings],
            "not_run": [task.failed["check"] for task in session.waiting if task.names == names],
        }
        for names, findings in session.findings.items()
    ]
    return json.dumps(
        {
            "passed": session.passed,
            "seed": session.seed,
            "thorough": session.request.thorough,
            "compositions": compositions,
            "refused": _refused(session),
        },
        indent=2,
    )


def list_to_json(session: Session) -> str:
    """Every chosen check of each composition, and the failures so far, as JSON."""
    words = ("check", "component", "slot", "owner", "says")
    compositions = [
        {"plugins": list(names), "checks": [{name: task.failed[name] for name in words} for task in tasks]}
        for names, tasks in _by_composition(session)
    ]
    failures = [_as_json(session, names, found) for names, found in _failures(session)]
    return json.dumps({"compositions": compositions, "refused": _refused(session), "failures": failures}, indent=2)


def _as_json(session: Session, names: Sequence[str], found: Finding) -> dict[str, Any]:
    return {**found.to_json(), "again": session.again(names, found.check)}


def _refused(session: Session) -> list[dict[str, Any]]:
    return [{"plugins": refused.names, "problems": refused.problems} for refused in session.refused]


def print_list(session: Session, console: Console) -> None:
    """Print every chosen check with its property, and the failures so far."""
    for names, tasks in _by_composition(session):
        result = Table("component", "check", "property", title=escape(composed(names)), title_justify="left", box=None)
        for task in tasks:
            result.add_row(*(escape(task.failed[name]) for name in ("component", "check", "says")))
        console.print(result)
    print_failures(session, console)


def _by_composition(session: Session) -> list[tuple[tuple[str, ...], list[Task]]]:
    compositions = dict.fromkeys(task.names for task in session.tasks)
    return [(names, [task for task in session.tasks if task.names == names]) for names in compositions]
