"""The checks on one planted bug, or on one correct composition, in a process of its own."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from tests.mutants.mutant import Mutant, plant

SEEDS = 20
"""The number of seeds under which a check with statistics must not fail for a correct composition."""

Until = Literal["the check", "the component", "the end"]
"""How far a bug is examined: up to the first check that fails, the end of that check's component, or through all."""

LARGE = ("gymnasium.vector", "hypothesis.strategies", "matplotlib", "pydantic", "scipy.stats", "torch")
"""Modules that are imported before processes are forked; no bug is planted in them."""


class Hung(Exception):
    """A check exceeded its time limit."""


@dataclass(frozen=True)
class Failure:
    """A check that failed: its component, its name, what it said, and the seed of its examples."""

    component: str
    check: str
    said: str
    seed: int = 0


@dataclass(frozen=True)
class Examination:
    """The results of one composition: the failures in order, the checks that applied, and seconds by component.

    `seconds` are those of the first seed; `again` are those of the further seeds.
    """

    plugins: str
    failures: tuple[Failure, ...]
    checks: tuple[str, ...]
    seconds: dict[str, float]
    again: float = 0.0

    @classmethod
    def of(cls, saved: dict[str, Any]) -> Examination:
        """Make an examination from the plain values of `dataclasses.asdict`."""
        failures = tuple(Failure(**failure) for failure in saved["failures"])
        return cls(saved["plugins"], failures, tuple(saved["checks"]), saved["seconds"], saved["again"])


def examine_mutant(task: tuple[Mutant, Until]) -> tuple[Mutant, Examination]:
    """Plant a bug in this process and run the checks, up to the end of the first component with one that fails."""
    mutant, until = task
    plant(mutant)
    return mutant, examine(mutant.plugins, until, seeds=1)


def examine_correct(plugins: str) -> Examination:
    """Run every check once, and those with statistics under `SEEDS` seeds."""
    return examine(plugins, "the end", SEEDS)


def examine(plugins: str, until: Until, seeds: int) -> Examination:
    """Run the checks of a composition in this process."""
    from framework.conformance.runner.collection import collect
    from framework.conformance.runner.execution import described, run_check
    from framework.conformance.subject import Subject

    def hang(number: int, frame: object) -> None:
        raise Hung("it did not come to an end in time")

    signal.signal(signal.SIGALRM, hang)
    failures: list[Failure] = []
    ran: list[str] = []
    seconds: dict[str, float] = {}
    again = 0.0
    # as in the command, all checks of a composition share a subject, which caches what takes long
    subjects = [Subject(tuple(plugins.split(",")), seed=seed) for seed in range(seeds)]
    try:
        checks = collect(subjects[0].plugins)
        inapplicable: set[str] = set()
        for check, seed in [(each, seed) for each in checks for seed in range(seeds if each.false_alarm else 1)]:
            if check.name in inapplicable:
                continue
            if until == "the component" and failures and failures[0].component != check.component:
                break
            began = time.perf_counter()
            signal.alarm(int(check.seconds))
            found = run_check(check, subjects[seed])
            signal.alarm(0)
            if seed:
                again += time.perf_counter() - began
            else:
                seconds[check.component] = seconds.get(check.component, 0.0) + time.perf_counter() - began
                ran += [check.name] * (found.verdict != "not applicable")
            if found.verdict == "not applicable":
                inapplicable.add(check.name)
            if found.verdict == "failed":
                said = found.why or f"{found.example}: expected {found.expected}, got {found.got}"
                failures.append(Failure(found.component, found.check, said, seed))
                if until == "the check":
                    break
    except Exception as error:
        failures.append(Failure("harness", "collect", described(error)))
    finally:
        signal.alarm(0)
    return Examination(plugins, tuple(failures), tuple(ran), seconds, again)


T = TypeVar("T")
R = TypeVar("R")


def each_in_a_process(work: Callable[[T], R], tasks: Iterable[T], jobs: int) -> Iterator[R]:
    """The results, in order; every task has a process of its own, forked from this one."""
    with prepare_forking().Pool(jobs, maxtasksperchild=1) as pool:
        yield from pool.imap(work, tasks, chunksize=1)


def prepare_forking() -> Any:
    """Import here, once, what is large. Returns multiprocessing's context that forks this process."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in LARGE:
        importlib.import_module(name)
    return multiprocessing.get_context("fork")
