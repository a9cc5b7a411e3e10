"""The checks as tests of a plugin author's own pytest suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from framework.conformance.catalogue import collect
from framework.conformance.checks import Check
from framework.conformance.closing import close
from framework.conformance.report import failure
from framework.conformance.running import run_check
from framework.conformance.session import composed
from framework.conformance.subject import Subject
from framework.errors import UsageError, did_you_mean


def parametrize_with_checks(
    plugins: str, *, beside: str | None = None, expected_failures: Mapping[str, str] | None = None
) -> pytest.MarkDecorator:
    """One test for each check that there is for these plugins; the decorated function takes `check` and calls it.

        @parametrize_with_checks("./my_variant.py")
        def test_conformance(check):
            check()

    A test's id is the check's name with the composition. Checks that do not apply are skipped.

    Args:
        plugins: as for the command `check`; a plugin alone is given what it needs.
        beside: its option --with.
        expected_failures: check → the reason why it must fail; that it fails is then the test.

    Raises:
        UsageError: if no composition fits, there is no such check, or an expected failure has no reason.
    """
    reasons = dict(expected_failures or {})
    found = [(subject, check) for subject in close(plugins, beside) for check in collect(subject.plugins)]
    known = [check.name for _, check in found]
    for name, reason in reasons.items():
        if name not in known:
            raise UsageError(f"expected_failures: there is no check '{name}'.{did_you_mean(name, known)}")
        if not reason.strip():
            raise UsageError(f"expected_failures: write down why '{name}' must fail")
    return pytest.mark.parametrize("check", [_parameter(subject, check, reasons) for subject, check in found])


def _parameter(subject: Subject, check: Check, reasons: Mapping[str, str]) -> Any:
    marks = [pytest.mark.xfail(reason=reasons[check.name], strict=True)] if check.name in reasons else []
    return pytest.param(_test(subject, check), marks=marks, id=f"{check.name}-{composed(subject.names)}")


def _test(subject: Subject, check: Check) -> Callable[[], None]:
    def test() -> None:
        __tracebackhide__ = True
        found = run_check(check, subject)
        if found.verdict == "not applicable":
            pytest.skip(found.why)
        if found.verdict == "failed":
            again = f"python -m framework check {composed(subject.names)} -k '^{check.name}$'"
            pytest.fail(failure(found, again), pytrace=False)

    return test
