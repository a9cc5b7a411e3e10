"""One use of the harness: a request, what it means, and what was found, in watched processes."""

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
from framework.conformance.runner.workers import Lost, Worker, in_workers

THOROUGH = 10
"""How many times as long a check may take where it is to be thorough."""


PATIENCE = 3
"""How often one composition may be lost, to its limit of time or otherwise, before the rest of it is left."""


@dataclass(frozen=True)
class Request:
    """What is to be checked, and how.

    `assignments` are those of --set, as they were typed. `pattern` is a regular expression that a check's name must
    match somewhere; `components` none means all. `exit_first` stops at the first failure.
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
        """What to type to run one check of a composition again, on the same examples."""
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
        """What a composition has beside the plugins that were named."""
        named = [absolute(name) for name in plugin_names(self.names)]
        return composed([name for name in names if name not in named])

    def chooses(self, name: str, component: str) -> bool:
        """Whether a check is wanted."""
        return bool(re.search(self.pattern, name)) and (not self.components or component in self.components)


@dataclass
class Task:
    """One check of one composition.

    `failed` are the fields of the finding, should the check be lost; `limit` is how many seconds it may take.
    """

    names: tuple[str, ...]
    failed: Mapping[str, Any]
    limit: float
    finding: Finding | None = None


@dataclass
class Session:
    """A request with the tasks that it means, of which each has its finding once it has been run.

    Its workers have planned before they check, so that each knows already what takes long to find out.
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
        """What has not been run yet."""
        return [task for task in self.tasks if task.finding is None]

    @property
    def findings(self) -> dict[tuple[str, ...], list[Finding]]:
        """What was found: composition → findings in order, none yet for one that was not reached."""
        found: dict[tuple[str, ...], list[Finding]] = {}
        for task in self.tasks:
            group = found.setdefault(task.names, [])
            if task.finding is not None:
                group.append(task.finding)
        return found

    @property
    def failed(self) -> bool:
        """Whether something failed."""
        return "failed" in self._verdicts

    @property
    def passed(self) -> bool:
        """Whether something was checked, and nothing failed."""
        return "passed" in self._verdicts and not self.failed

    @property
    def _verdicts(self) -> set[str]:
        return {task.finding.verdict for task in self.tasks if task.finding is not None}

    def again(self, names: Sequence[str], check: str) -> str:
        """What to type to run one check again, on the same examples."""
        return self.request.again(names, check, self.seed)

    def described(self, names: Sequence[str]) -> dict[str, Any]:
        """A composition under test, as a worker is told of it."""
        request = self.request
        return {"names": names, "assignments": request.assignments, "thorough": request.thorough, "seed": self.seed}

    def run(self, tell: Callable[[Task], None]) -> None:
        """Run every task that is waiting; `tell` hears of each when it begins and when it has ended.

        Tasks of a composition that was lost `PATIENCE` times stay without a finding: each takes its whole limit.
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
        """Whether a composition was lost too often to go on with it."""
        return self._lost[tuple(names)] >= PATIENCE

    def _ask(self, worker: Worker, task: Task) -> Finding:
        question = {"kind": "run", "check": task.failed["check"], **self.described(task.names)}
        try:
            return Finding(**worker.ask(question, self._limit(task)))
        except Lost as lost:
            if self._stopped:
                raise
            self._lost[task.names] += 1
            fields = {**task.failed, "causes": ()}  # they are those of a wrong value
            return Finding(**fields, seconds=lost.seconds, why=f"the composition {lost}")

    def _limit(self, task: Task) -> float:
        return task.limit * (THOROUGH if self.request.thorough else 1)


def composed(names: Sequence[str]) -> str:
    """A composition as it can be typed."""
    return ",".join(map(_short, names))


def _short(name: str) -> str:
    """A plugin file as it can be typed from here."""
    path = Path(name)
    if path.suffix == ".py" and path.is_absolute() and path.is_relative_to(Path.cwd()):
        return f"./{path.relative_to(Path.cwd())}"
    return name
