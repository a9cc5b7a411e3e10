"""What the command `check` does."""

from __future__ import annotations

from rich.console import Console

from framework.conformance.report import print_list, print_report, run_with_progress, to_json
from framework.conformance.session import Request, composed, plan


def check_command(request: Request, *, as_json: bool, only_list: bool) -> int:
    """Check, print, and return the exit code: 0 if nothing failed, else 1.

    Raises:
        UsageError: if there is nothing to check.
    """
    errors, out = Console(stderr=True), Console(width=None if Console().is_terminal else 160)
    with errors.status(f"looking at {request.names}"):
        session = plan(request)
    if only_list:
        print_list(session, out)
        return 0
    if not as_json:
        for names in dict.fromkeys(task.names for task in session.tasks):
            out.print(f"checking {composed(names)}", highlight=False, soft_wrap=True)
        if request.thorough:
            out.print(f"thorough, with the examples of seed {session.seed}", highlight=False)
    run_with_progress(session, errors)
    if as_json:
        print(to_json(session))
    else:
        print_report(session, out)
    return 0 if session.passed else 1
