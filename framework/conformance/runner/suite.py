"""Runs the checks as tests in a plugin author's own pytest suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from framework.config import parse_assignment
from framework.conformance.check import Check
from framework.conformance.runner.collection import collect
from framework.conformance.runner.completion import Refused, complete
from framework.conformance.runner.execution import run_check
from framework.conformance.runner.report import failure
from framework.conformance.runner.session import Request, composed
from framework.conformance.subject import Subject
from framework.errors import UsageError, did_you_mean


def parametrize_with_checks(
    plugins: str,
    *,
    beside: str | None = None,
    assignments: Sequence[str] = (),
    expected_failures: Mapping[str, str] | None = None,
) -> pytest.MarkDecorator:
    """Make a test of each check for these plugins. The decorated function takes `check` and calls it.

        @parametrize_with_checks("./my_variant.py")
        def test_conformance(check):
            check()

    A test's id is the check's name and the composition. Checks that do not apply are skipped. Each composition that was
    tried and does not fit gets one skipped test. The checks run in pytest's own process, without the limits of time and
    memory of the command `check`.

    Args:
        plugins: as for the command `check`. What the plugins need to run is added.
        beside: the command's option --with.
        assignments: values of the command's option --set, as "section.key=value".
        expected_failures: check → the reason why it must fail. The test passes only if the check fails.

    Raises:
        UsageError: if no composition fits, an expected failure names no check, or it has no reason.
    """
    reasons = dict(expected_failures or {})
    request = Request(plugins, beside, assignments)
    fitting, refused = complete(plugins, beside, dict(map(parse_assignment, assignments)))
    found = [(subject, check) for subject in fitting for check in collect(subject.plugins)]
    known = [check.name for _, check in found]
    for name, reason in reasons.items():
        if name not in known:
            raise UsageError(f"expected_failures: there is no check '{name}'.{did_you_mean(name, known)}")
        if not reason.strip():
            raise UsageError(f"expected_failures: give the reason why '{name}' must fail")
    tests = [_parameter(request, subject, check, reasons) for subject, check in found]
    return pytest.mark.parametrize("check", [*tests, *map(_left_out, refused)])


def _parameter(request: Request, subject: Subject, check: Check, reasons: Mapping[str, str]) -> Any:
    marks = [pytest.mark.xfail(reason=reasons[check.name], strict=True)] if check.name in reasons else []
    return pytest.param(_test(request, subject, check), marks=marks, id=f"{check.name}-{composed(subject.names)}")


def _left_out(refused: Refused) -> Any:
    marks = [pytest.mark.skip(reason="; ".join(refused.problems))]
    return pytest.param(None, marks=marks, id=f"not_checked-{composed(refused.names)}")


def _test(request: Request, subject: Subject, check: Check) -> Callable[[], None]:
    def test() -> None:
        __tracebackhide__ = True
        found = run_check(check, subject)
        if found.verdict == "not applicable":
            pytest.skip(found.why)
        if found.verdict == "failed":
            pytest.fail(failure(found, request.again(subject.names, check.name)), pytrace=False)

    return test
