"""Runs one check and records its finding."""

from __future__ import annotations

import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from framework.conformance.check import Check, NotApplicable, Violation
from framework.conformance.subject import Subject

HARNESS = Path(__file__).parents[1]
"""The folder of the harness's own code."""

Verdict = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True)
class Finding:
    """The result of one check. `why` says why it does not apply, or which error it met that is not a wrong value."""

    check: str
    component: str
    slot: str
    owner: str
    verdict: Verdict
    seconds: float
    says: str
    example: str = ""
    expected: str = ""
    got: str = ""
    why: str = ""
    causes: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The finding as plain values."""
        return asdict(self)


def run_check(check: Check, subject: Subject) -> Finding:
    """Run a check. Every exception that it raises becomes a finding."""
    began = time.perf_counter()
    found: dict[str, Any]
    try:
        check.run(subject)
        found = {"verdict": "passed", "causes": ()}
    except NotApplicable as reason:
        found = {"verdict": "not applicable", "causes": (), "why": str(reason)}
    except Violation as violation:
        found = {"example": violation.example, "expected": violation.expected, "got": violation.got}
    except Exception as error:
        found = {"why": described(error), "causes": ()}  # the listed causes explain wrong values
    seconds = time.perf_counter() - began
    return Finding(**{**failed(check, subject.owner(check.slot)), "seconds": seconds, **found})


def failed(check: Check, owner: str) -> dict[str, Any]:
    """The fields that all failed findings of a check share, as plain values."""
    return {
        "check": check.name,
        "component": check.component,
        "slot": check.slot,
        "owner": owner,
        "says": check.says,
        "verdict": "failed",
        "causes": tuple((cause.text, cause.precedent) for cause in check.causes),
    }


def described(error: BaseException) -> str:
    """The error as text, with the innermost line of its traceback that is outside the harness."""
    frames = traceback.extract_tb((error.__cause__ or error).__traceback__)
    outside = [frame for frame in frames if HARNESS not in Path(frame.filename).parents] or frames
    where = f" (at {Path(outside[-1].filename).name}:{outside[-1].lineno}: {outside[-1].line})" if outside else ""
    return f"raised {type(error).__name__}: {error}{where}"
