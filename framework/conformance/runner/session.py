"""One use of the harness: a request, its tasks and their findings, in processes that the session watches."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framework.assembly.configuration import absolute, plugin_names
from framework.conformance.runner.completion import Refused
from framework.conformance.runner.execution import Finding
from framework.conformance.runner.workers import Worker, WorkerLost, in_workers

THOROUGH = 10
"""How many times as long a check may take with --thorough."""


PATIENCE = 3
"""How often one composition may lose its worker, by a timeout or otherwise, before its other checks are skipped."""


@dataclass(frozen=True)
class Request:
    """What to check, and how.

    `assignments` are the values of --set as they were typed. `pattern` is a regular expression that a check's name must
    match somewhere. Empty `components` mean all components. `exit_first` stops at the first failure.
    """

    names: str
    beside: str | None = None
    assignments: Sequence[str] = ()
    pattern: str = ""
    components: Sequence[str] = ()
    thorough: bool = False
    seed: int | None = None
    jobs: int = 1
    exit_first: bool = False

    def again(self, names: Sequence[str], check: str, seed: int = 0) -> str:
        """The command that runs one check of a composition again, on the same examples."""
        if self.beside is not None:  # then there is one composition
            names = plugin_names(self.names)
        words = ["python", "-m", "framework", "check", composed(names)]
        words += ["--with", self.beside] if self.beside is not None else []
        words += ["-k", f"^{check}$"]
        for assignment in self.assignments:
            words += ["--set", assignment]
        if self.thorough:
            words.append("--thorough")
        if self.thorough or seed:
            words += ["--seed", str(seed)]
        return shlex.join(words)

    def added(self, names: Sequence[str]) -> str:
        """The plugins of a composition that the request does not name."""
        named = [absolute(name) for name in plugin_names(self.names)]
        return composed([name for name in names if name not in named])

    def chooses(self, name: str, component: str) -> bool:
        """Whether the request chooses a check."""
        return bool(re.search(self.pattern, name)) and (not self.components or component in self.components)


@dataclass
class Task:
    """One check of one composition.

    `failed` holds the fields of the finding if the worker is lost. `limit` is the time limit in seconds.
    """

    names: tuple[str, ...]
    failed: Mapping[str, Any]
    limit: float
    finding: Finding | None = None


@dataclass
class Session:
    """A request with its tasks. Each task gets its finding when it has run.

    The workers that run the checks have also planned them, so that they already know what takes long to find out.
    """

    request: Request
    seed: int
    tasks: list[Task] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stopped = False
        self._lost: Counter[tuple[str, ...]] = Counter()
        self.workers = [Worker() for _ in range(self.request.jobs)]

    def close(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.close()

    @property
    def waiting(self) -> list[Task]:
        """The tasks that have not run yet."""
        return [task for task in self.tasks if task.finding is None]

    @property
    def findings(self) -> dict[tuple[str, ...], list[Finding]]:
        """Composition → its findings in order. The list is empty for a composition that was not reached."""
        found: dict[tuple[str, ...], list[Finding]] = {}
        for task in self.tasks:
            group = found.setdefault(task.names, [])
            if task.finding is not None:
                group.append(task.finding)
        return found

    @property
    def failed(self) -> bool:
        """Whether a check failed."""
        return "failed" in self._verdicts

    @property
    def passed(self) -> bool:
        """Whether a check passed and none failed."""
        return "passed" in self._verdicts and not self.failed

    @property
    def _verdicts(self) -> set[str]:
        return {task.finding.verdict for task in self.tasks if task.finding is not None}

    def again(self, names: Sequence[str], check: str) -> str:
        """The command that runs one check again, on the same examples."""
        return self.request.again(names, check, self.seed)

    def described(self, names: Sequence[str]) -> dict[str, Any]:
        """The fields that describe a composition in a worker's request."""
        request = self.request
        return {"names": names, "assignments": request.assignments, "thorough": request.thorough, "seed": self.seed}

    def run(self, tell: Callable[[Task], None]) -> None:
        """Run every task that is waiting. Call `tell` with each task when it begins and when it has ended.

        Once a composition has lost its worker `PATIENCE` times, its other tasks get no finding: each could take its
        whole time limit.
        """

        def work(worker: Worker, task: Task) -> None:
            if self.gave_up(task.names) or (self.request.exit_first and self.failed):
                return
            tell(task)
            task.finding = self._ask(worker, task)
            tell(task)

        try:
            in_workers(self.waiting, self.workers, work)
        except BaseException:
            self._stopped = True
            raise
        finally:
            self.close()

    def gave_up(self, names: Sequence[str]) -> bool:
        """Whether a composition lost its worker too often to continue with it."""
        return self._lost[tuple(names)] >= PATIENCE

    def _ask(self, worker: Worker, task: Task) -> Finding:
        question = {"kind": "run", "check": task.failed["check"], **self.described(task.names)}
        try:
            return Finding(**worker.ask(question, self._limit(task)))
        except WorkerLost as lost:
            if self._stopped:
                raise
            self._lost[task.names] += 1
            fields = {**task.failed, "causes": ()}  # causes explain a wrong value
            return Finding(**fields, seconds=lost.seconds, why=f"the composition {lost}")

    def _limit(self, task: Task) -> float:
        return task.limit * (THOROUGH if self.request.thorough else 1)


def composed(names: Sequence[str]) -> str:
    """A composition as a user can type it."""
    return ",".join(map(_short, names))


def _short(name: str) -> str:
    """A plugin's name as a user can type it. Files in the current folder get a relative path."""
    path = Path(name)
    if path.suffix == ".py" and path.is_absolute() and path.is_relative_to(Path.cwd()):
        return f"./{path.relative_to(Path.cwd())}"
    return name
