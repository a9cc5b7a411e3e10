"""What the command `check` does and prints."""

from __future__ import annotations

from contextlib import closing

from rich.console import Console

from framework.conformance.runner.planning import plan
from framework.conformance.runner.report import (
    list_to_json,
    print_list,
    print_plan,
    print_report,
    run_with_progress,
    to_json,
)
from framework.conformance.runner.session import Request, Session
from framework.errors import UsageError


def check_command(request: Request, *, as_json: bool, only_list: bool, everything: bool = False) -> int:
    """Check, print, and return the exit code: 0 if nothing failed, else 1.

    Args:
        everything: also list the checks that do not apply.

    Raises:
        UsageError: if nothing could be checked.
    """
    errors, out = Console(stderr=True), Console(width=None if Console().is_terminal else 160)
    with errors.status(f"finding the checks of {request.names}"):
        planned = plan(request)
    with closing(planned) as session:
        if not as_json:
            print_plan(session, out)
        if only_list:
            _list(session, out, as_json)
        else:
            _check(session, out, errors, as_json, everything)
        return 1 if session.failed else 0


def _list(session: Session, out: Console, as_json: bool) -> None:
    if as_json:
        print(list_to_json(session))
    else:
        print_list(session, out)


def _check(session: Session, out: Console, errors: Console, as_json: bool, everything: bool) -> None:
    try:
        run_with_progress(session, errors, None if as_json else out)
    finally:  # also after an interrupt, so that no finding is lost
        if as_json:
            print(to_json(session))
        else:
            print_report(session, out, everything)
    if not session.passed and not session.failed:
        raise UsageError("nothing was checked: none of the chosen checks applies")
