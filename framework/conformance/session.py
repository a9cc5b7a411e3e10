"""One use of the harness: plan, choose, run in watched processes, and keep what was found."""

from __future__ import annotations

import random
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framework.composition import plugin_names
from framework.conformance.assembly import assembles
from framework.conformance.checks import COMPONENTS
from framework.conformance.running import Finding
from framework.conformance.workers import PLAN_SECONDS, Lost, Worker, in_workers
from framework.errors import UsageError, did_you_mean

THOROUGH = 10
"""How many times as long a check may take where it is to be thorough."""


@dataclass(frozen=True)
class Request:
    """What is to be checked, and how.

    `pattern` is a regular expression that a check's name must match somewhere; `components` none means all.
    """

    names: str
    beside: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    pattern: str = ""
    components: Sequence[str] = ()
    thorough: bool = False
    seed: int | None = None
    jobs: int = 1


@dataclass(frozen=True)
class Task:
    """One check of one composition."""

    names: tuple[str, ...]
    check: Mapping[str, Any]


@dataclass
class Session:
    """A request with the tasks that it means and, once run, what was found: composition → findings in order."""

    request: Request
    seed: int
    tasks: list[Task]
    findings: dict[tuple[str, ...], list[Finding]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not any(found.verdict == "failed" for group in self.findings.values() for found in group)

    def command(self, names: Sequence[str], check: str) -> str:
        """What to type to run one check again, on the same examples."""
        words = ["python", "-m", "framework", "check", composed(names), "-k", f"^{check}$"]
        for path, value in self.request.values.items():
            words += ["--set", f"{path}={value}"]
        if self.request.thorough:
            words.append("--thorough")
        if self.seed:
            words += ["--seed", str(self.seed)]
        return shlex.join(words)

    def run(self, tell: Callable[[Task, Finding | None], None]) -> None:
        """Run every task; `tell` hears of each when it begins (None) and when it has ended."""
        found: dict[int, Finding] = {}
        broken: set[tuple[str, ...]] = set()

        def work(worker: Worker, position: int) -> None:
            task = self.tasks[position]
            if task.names in broken:
                return
            tell(task, None)
            found[position] = finding = self._ask(worker, task)
            if finding.component == COMPONENTS[0] and finding.verdict == "failed":
                broken.add(task.names)  # what cannot be built has no other property
            tell(task, finding)

        first = [place for place, task in enumerate(self.tasks) if task.check["component"] == COMPONENTS[0]]
        rest = [place for place in range(len(self.tasks)) if place not in first]
        for group in (first, rest):
            in_workers(group, self.request.jobs, work)
        for position in sorted(found):
            self.findings.setdefault(self.tasks[position].names, []).append(found[position])

    def _ask(self, worker: Worker, task: Task) -> Finding:
        check = task.check
        limit = check["seconds"] * (THOROUGH if self.request.thorough else 1)
        question = {
            "kind": "run",
            "names": task.names,
            "values": self.request.values,
            "check": check["name"],
            "thorough": self.request.thorough,
            "seed": self.seed,
        }
        try:
            return Finding(**worker.ask(question, limit))
        except Lost as reason:
            return Finding(
                check=check["name"],
                component=check["component"],
                slot=check["slot"],
                owner=check["owner"],
                verdict="failed",
                seconds=limit,
                says=check["says"],
                why=f"the composition {reason}",
            )


def plan(request: Request) -> Session:
    """Find the compositions and their checks; plugins are imported in another process.

    Raises:
        UsageError: if there is no composition, or no check is chosen.
    """
    for component in request.components:
        if component not in COMPONENTS:
            hint = did_you_mean(component, COMPONENTS)
            raise UsageError(f"no component '{component}'.{hint} Components: {', '.join(COMPONENTS)}")
    try:
        pattern = re.compile(request.pattern)
    except re.error as error:
        raise UsageError(f"-k {request.pattern}: no regular expression: {error}") from error
    fresh = random.SystemRandom().randrange(2**31) if request.thorough else 0
    seed = fresh if request.seed is None else request.seed
    worker = Worker()
    try:
        question = {
            "kind": "plan",
            "names": request.names,
            "beside": request.beside,
            "values": request.values,
        }
        answer = worker.ask(question, PLAN_SECONDS)
    except Lost as reason:
        return _stillborn(request, seed, str(reason))
    finally:
        worker.close()
    if "problems" in answer:
        raise UsageError(answer["problems"])
    tasks = [
        Task(tuple(composition["names"]), check)
        for composition in answer["compositions"]
        for check in composition["checks"]
        if pattern.search(check["name"]) and (not request.components or check["component"] in request.components)
    ]
    if not tasks:
        known = [check["name"] for composition in answer["compositions"] for check in composition["checks"]]
        hint = did_you_mean(request.pattern, known)
        raise UsageError(f"no check is chosen by -k and --component.{hint} --list shows them all")
    return Session(request, seed, tasks)


def _stillborn(request: Request, seed: int, reason: str) -> Session:
    """The plugin cannot even be loaded, which is what its first check would have said."""
    names = tuple(plugin_names(request.names))
    found = Finding(
        check=assembles.name,
        component=assembles.component,
        slot=assembles.slot,
        owner=request.names,
        verdict="failed",
        seconds=0.0,
        says=assembles.says,
        why=f"while it was being loaded, the composition {reason}",
    )
    return Session(request, seed, [], {names: [found]})


def composed(names: Sequence[str]) -> str:
    """A composition as it can be typed."""
    return ",".join(map(_short, names))


def _short(name: str) -> str:
    """A plugin file as it can be typed from here."""
    path = Path(name)
    if path.suffix == ".py" and path.is_absolute() and path.is_relative_to(Path.cwd()):
        return f"./{path.relative_to(Path.cwd())}"
    return name
