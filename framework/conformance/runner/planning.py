"""From a request to the tasks that it means. Plugins are imported, and compositions built, in another process."""

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
from framework.conformance.runner.workers import PLAN_SECONDS, Lost
from framework.conformance.subject import COMPOSITION
from framework.errors import UsageError, did_you_mean


def plan(request: Request) -> Session:
    """Find the compositions and their checks. Who uses the session closes it.

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
    raise UsageError(f"no check is chosen by -k and --component.{hint} --list shows them all")


def _refuse_choices(request: Request) -> None:
    for component in request.components:
        if component not in COMPONENTS:
            hint = did_you_mean(component, COMPONENTS)
            raise UsageError(f"no component '{component}'.{hint} Components: {', '.join(COMPONENTS)}")
    try:
        re.compile(request.pattern)
    except re.error as error:
        raise UsageError(f"-k {request.pattern}: no regular expression: {error}") from error
    for assignment in request.assignments:
        parse_assignment(assignment)


def _ask(session: Session, question: Mapping[str, Any]) -> dict[str, Any]:
    """What the first worker answers. All are asked: so each has imported and built what it will check.

    Raises:
        Lost: if the first one is.
    """
    pool = ThreadPoolExecutor(len(session.workers))
    try:
        answers = [pool.submit(worker.ask, question, PLAN_SECONDS) for worker in session.workers]
        wait(answers)
        return answers[0].result()
    finally:
        pool.shutdown(wait=False)


def _candidates(session: Session) -> list[tuple[str, ...]]:
    """The compositions that may fit; none where looking for them loses the worker, which is a finding."""
    request = session.request
    question = {"kind": "find", "names": request.names, "beside": request.beside}
    try:
        answer = _ask(session, question)
    except Lost as lost:
        session.tasks.append(_cannot_be_built(tuple(plugin_names(request.names)), "loaded", lost))
        return []
    if "problems" in answer:
        raise UsageError(answer["problems"])
    return [tuple(candidate) for candidate in answer["candidates"]]


def _plan(session: Session, names: tuple[str, ...]) -> list[str]:
    """Add the tasks of a composition to the session, or why it does not fit; return the names of all its checks.

    What is settled while it is built and has failed is a finding whatever was chosen: that it cannot be built, which is
    then the only one, or that a plugin does not bring its checks.
    """
    try:
        answer = _ask(session, {"kind": "plan", **session.described(names)})
    except Lost as lost:
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


def _cannot_be_built(names: tuple[str, ...], while_being: str, lost: Lost) -> Task:
    """The finding of a composition that cannot even be loaded or built."""
    fields = failed(assembles, COMPOSITION)
    why = f"while it was being {while_being}, the composition {lost}"
    return Task(names, fields, assembles.seconds, Finding(**fields, seconds=lost.seconds, why=why))
