"""Runs one check and writes down what it found."""

from __future__ import annotations

import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from framework.conformance.checks import Check, NotApplicable, Violation
from framework.conformance.subject import Subject

Verdict = Literal["passed", "failed", "not applicable"]


@dataclass(frozen=True)
class Finding:
    """What became of one check. `why` says why it does not apply, or what else went wrong than a wrong value."""

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
        """As plain values."""
        return asdict(self)


def run_check(check: Check, subject: Subject) -> Finding:
    """Run it; whatever it raises is a finding."""
    began = time.perf_counter()
    verdict: Verdict = "passed"
    found: dict[str, str] = {}
    try:
        check.run(subject)
    except NotApplicable as reason:
        verdict, found = "not applicable", {"why": str(reason)}
    except Violation as violation:
        verdict = "failed"
        found = {"example": violation.example, "expected": violation.expected, "got": violation.got}
    except Exception as error:
        verdict, found = "failed", {"why": described(error)}
    return finding(check, subject, verdict, time.perf_counter() - began, **found)


def finding(check: Check, subject: Subject, verdict: Verdict, seconds: float, **found: str) -> Finding:
    """With what is known of the check beforehand."""
    causes = tuple((cause.text, cause.precedent) for cause in check.causes) if verdict == "failed" else ()
    return Finding(
        check.name, check.component, check.slot, subject.owner(check.slot), verdict, seconds, check.says,
        causes=causes, **found,
    )  # fmt: skip


def described(error: BaseException) -> str:
    """What was raised, and the innermost line outside of the harness that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if Path(frame.filename).parent != Path(__file__).parent] or frames
    where = f" (at {Path(outside[-1].filename).name}:{outside[-1].lineno}: {outside[-1].line})" if outside else ""
    return f"raised {type(error).__name__}: {error}{where}"
