"""Turns a request into tasks. The worker processes import the plugins and build the compositions."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from framework.assembly.configuration import plugin_names
from framework.config import parse_assignment
from framework.conformance.check import COMPONENTS
from framework.conformance.checks.assembly import assembles
from framework.conformance.runner.completion import Refused, none_fits
from framework.conformance.runner.execution import Finding, failed
from framework.conformance.runner.session import Request, Session, Task
from framework.conformance.runner.workers import PLAN_SECONDS, WorkerLost
from framework.conformance.subject import COMPOSITION
from framework.errors import UsageError, did_you_mean


def plan(request: Request) -> Session:
    """Find the compositions and their checks. The caller must close the session.

    Raises:
        UsageError: if the request is wrong, no composition fits, or no check is chosen.
    """
    _refuse_choices(request)
    fresh = random.SystemRandom().randrange(2**31) if request.thorough else 0
    session = Session(request, fresh if request.seed is None else request.seed)
    try:
        return _planned(session)
    except BaseException:
        session.close()
        raise


def _planned(session: Session) -> Session:
    request = session.request
    known: list[str] = []
    for names in _candidates(session):
        known += _plan(session, names)
    if session.tasks:
        return session
    if not known:
        raise none_fits(session.refused)
    hint = did_you_mean(request.pattern, known)
    raise UsageError(f"-k and --component choose no check.{hint} Use --list without them to see all checks")


def _refuse_choices(request: Request) -> None:
    for component in request.components:
        if component not in COMPONENTS:
            hint = did_you_mean(component, COMPONENTS)
            raise UsageError(f"no component '{component}'.{hint} Components: {', '.join(COMPONENTS)}")
    try:
        re.compile(request.pattern)
    except re.error as error:
        raise UsageError(f"-k {request.pattern}: not a regular expression: {error}") from error
    for assignment in request.assignments:
        parse_assignment(assignment)


def _ask(session: Session, question: Mapping[str, Any]) -> dict[str, Any]:
    """Ask all workers and return the first one's answer. So each worker has imported and built what it will check.

    Raises:
        WorkerLost: if the first worker is lost.
    """
    pool = ThreadPoolExecutor(len(session.workers))
    try:
        answers = [pool.submit(worker.ask, question, PLAN_SECONDS) for worker in session.workers]
        wait(answers)
        return answers[0].result()
    finally:
        pool.shutdown(wait=False)


def _candidates(session: Session) -> list[tuple[str, ...]]:
    """The compositions that may fit. If finding them loses the worker, add a finding, and return none."""
    request = session.request
    question = {"kind": "find", "names": request.names, "beside": request.beside}
    try:
        answer = _ask(session, question)
    except WorkerLost as lost:
        session.tasks.append(_cannot_be_built(tuple(plugin_names(request.names)), "loaded", lost))
        return []
    if "problems" in answer:
        raise UsageError(answer["problems"])
    return [tuple(candidate) for candidate in answer["candidates"]]


def _plan(session: Session, names: tuple[str, ...]) -> list[str]:
    """Add a composition's tasks to the session, or the reasons why it does not fit. Return the names of all its checks.

    Checks that already failed while the composition was built are reported, even if they were not chosen. Either it
    cannot be built, which is then the only finding, or a plugin does not bring its checks.
    """
    try:
        answer = _ask(session, {"kind": "plan", **session.described(names)})
    except WorkerLost as lost:
        session.tasks.append(_cannot_be_built(names, "built", lost))
        return []
    if "problems" in answer:
        session.refused.append(Refused(names, tuple(answer["problems"])))
        return []
    settled = {fields["check"]: Finding(**fields) for fields in answer["settled"]}
    for check in answer["checks"]:
        known = settled.get(check["check"])
        if (known and known.verdict == "failed") or session.request.chooses(check["check"], check["component"]):
            session.tasks.append(Task(names, check, check.pop("limit"), known))
    return [check["check"] for check in answer["checks"]]


def _cannot_be_built(names: tuple[str, ...], while_being: str, lost: WorkerLost) -> Task:
    """A task with the finding that a composition cannot be loaded or built."""
    fields = failed(assembles, COMPOSITION)
    why = f"while it was being {while_being}, the composition {lost}"
    return Task(names, fields, assembles.seconds, Finding(**fields, seconds=lost.seconds, why=why))
