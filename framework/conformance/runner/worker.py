"""`python -m framework.conformance.runner.worker`: the process in which plugins are imported and checks run.

It reads requests from standard input and writes one line of JSON as the answer to each. What a plugin prints goes to
standard error. A plugin that misbehaves harms only this process and its children. All of them end with the process that
sends the requests.
"""

from __future__ import annotations

import faulthandler
import io
import json
import os
import signal
import sys
from functools import cache
from typing import Any, TextIO

from framework.config import parse_assignment
from framework.conformance.checks.assembly import assembles
from framework.conformance.runner.collection import collect
from framework.conformance.runner.completion import candidates, require_fit
from framework.conformance.runner.execution import failed, run_check
from framework.conformance.runner.workers import WHERE
from framework.conformance.subject import Subject
from framework.errors import UsageError
from framework.processes.lifeline import end_with_parent


def find(request: dict[str, Any]) -> dict[str, Any]:
    """List the compositions that may fit."""
    try:
        return {"candidates": candidates(request["names"], request["beside"])}
    except UsageError as error:
        return {"problems": error.problems}


def plan(request: dict[str, Any]) -> dict[str, Any]:
    """Build one composition, and list its checks."""
    try:
        return _planned(_subject(request))
    except UsageError as error:
        return {"problems": error.problems}


def _planned(subject: Subject) -> dict[str, Any]:
    """The checks, and the first findings: the composition can be built or not, its plugins bring checks or not."""
    require_fit(subject)
    settled = [run_check(assembles, subject)]
    checks = [assembles]
    if settled[0].verdict == "passed":
        checks = collect(subject.plugins)
        others = [check for check in checks if check.component == assembles.component and check is not assembles]
        settled += [run_check(check, subject) for check in others]
    return {
        "settled": [found.to_json() for found in settled],
        "checks": [{**failed(check, subject.owner(check.slot)), "limit": check.seconds} for check in checks],
    }


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run one check of one composition."""
    subject = _subject(request)
    (check,) = [check for check in collect(subject.plugins) if check.name == request["check"]]
    return run_check(check, subject).to_json()


def _subject(request: dict[str, Any]) -> Subject:
    return _remembered(json.dumps([request[key] for key in ("names", "assignments", "thorough", "seed")]))


@cache
def _remembered(description: str) -> Subject:
    """One subject for all checks of a composition, because it remembers what takes long to find out."""
    names, assignments, thorough, seed = json.loads(description)
    return Subject(tuple(names), dict(map(parse_assignment, assignments)), thorough, seed)


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer until there are no more requests."""
    for line in requests:
        request = json.loads(line)
        answer = {"find": find, "plan": plan, "run": run}[request["kind"]](request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    end_with_parent(lambda: os.killpg(0, signal.SIGKILL))
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    faulthandler.enable(all_threads=False)
    faulthandler.register(WHERE, all_threads=False)
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)  # so that all output of a check has been written when the check ends
    serve(sys.stdin, private)
