"""`python -m framework.conformance.worker`: the process in which plugins are imported and checks run.

It reads requests from standard input and writes one answer to each, a line of JSON. What a plugin prints goes to
standard error. However badly a plugin behaves, only this process suffers.
"""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from typing import Any, TextIO

from framework.composition import configure
from framework.config import Source
from framework.conformance.catalogue import collect
from framework.conformance.closing import close
from framework.conformance.running import run_check
from framework.conformance.subject import Subject
from framework.errors import UsageError


def plan(request: dict[str, Any]) -> dict[str, Any]:
    """Close the composition and list its checks."""
    try:
        subjects = close(request["names"], request["beside"])
        for subject in subjects:
            configure(subject.names, [Source("--set", request["values"])])  # a wrong option is nobody's failure
        return {
            "compositions": [
                {
                    "names": subject.names,
                    "checks": [
                        {
                            "name": check.name,
                            "component": check.component,
                            "slot": check.slot,
                            "seconds": check.seconds,
                            "says": check.says,
                            "owner": subject.owner(check.slot),
                        }
                        for check in collect(subject.plugins)
                    ],
                }
                for subject in subjects
            ]
        }
    except UsageError as error:
        return {"problems": error.problems}


@cache
def _subject(description: str) -> Subject:
    """One for all checks of a composition, as it remembers what takes long to find out."""
    names, values, thorough, seed = json.loads(description)
    return Subject(tuple(names), values, thorough, seed)


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run one check of one composition."""
    subject = _subject(json.dumps([request[key] for key in ("names", "values", "thorough", "seed")]))
    (check,) = [check for check in collect(subject.plugins) if check.name == request["check"]]
    return run_check(check, subject).to_json()


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer until there are no more requests."""
    for line in requests:
        request = json.loads(line)
        answer = {"plan": plan, "run": run}[request["kind"]](request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, private)
