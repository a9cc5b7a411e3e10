"""The executor that a user names: this machine, Ray, or one of his own."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from framework.errors import FrameworkError, UsageError, did_you_mean
from framework.processes.executor import Executor, Process
from framework.processes.local import Local

T = TypeVar("T")

METHODS = ("__enter__", "__exit__", "cores", "room", "start")


def executor_of(on: str | Executor) -> Executor:
    """The executor of this name. Nothing is started, and nothing is connected to, before it is entered.

    Args:
        on: "local" for children of this process; "ray" for a Ray of this machine alone; "auto", "HOST:PORT" or
            "ray://HOST:PORT" for a Ray cluster; "MODULE:NAME" for whatever that module calls so, called without
            arguments; or an executor.

    Raises:
        UsageError: if there is no such executor, or it lacks something.
    """
    if not isinstance(on, str):
        return _whole(on, type(on).__name__)
    if on == "local":
        return Local()
    if on == "ray" or on.startswith("ray://") or on == "auto" or re.fullmatch(r"(\[[\da-fA-F:]+\]|[^:/]+):\d+", on):
        from framework.processes.ray_executor import RayExecutor

        return RayExecutor("" if on == "ray" else on)
    if re.fullmatch(r"[\w.]+:[\w.]+", on):
        return Theirs(_whole(_made(*on.split(":")), on), on)
    raise UsageError(
        f"unknown executor '{on}': write local, ray, auto, HOST:PORT or ray://HOST:PORT, or MODULE:NAME for your own."
        f"{did_you_mean(on, ['local', 'ray'])}"
    )


def shared_name(on: str) -> str:
    """The name by which other processes of this machine use the executor `on`, which this process has entered.

    A Ray that was started for this process has an address. All others have the same name everywhere.
    """
    if on != "ray":
        return on
    import ray

    return str(ray.get_runtime_context().gcs_address)


def _made(module: str, name: str) -> object:
    if os.getcwd() not in sys.path and "" not in sys.path:  # the command of an installed package does not have it
        sys.path.insert(0, os.getcwd())
    try:
        made = importlib.import_module(module)
    except Exception as error:  # the module is the user's, and may raise anything
        raise UsageError(f"executor '{module}:{name}': {module} cannot be imported: {error!r}") from error
    for part in name.split("."):
        if not hasattr(made, part):
            raise UsageError(f"executor '{module}:{name}': {module} has no '{name}'")
        made = getattr(made, part)
    if not callable(made):
        raise UsageError(f"executor '{module}:{name}' is not a class or a function that makes an executor")
    try:
        return made()
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"executor '{module}:{name}' cannot be made without arguments: {error!r}") from error


def _whole(made: object, name: str) -> Executor:
    # without calling a property: it may need an executor that has been entered
    missing = object()
    lacking = [method for method in METHODS if inspect.getattr_static(made, method, missing) is missing]
    if lacking:
        raise UsageError(
            f"executor '{name}' lacks {', '.join(lacking)}: framework.processes.executor says what an executor has"
        )
    return made  # type: ignore[return-value]


class Theirs:
    """A user's executor: what it does wrong is told with its name."""

    def __init__(self, executor: Executor, name: str) -> None:
        self._executor, self._name = executor, name

    @property
    def cores(self) -> int | None:
        return self._number("cores", lambda: self._executor.cores)

    def room(self, threads: int, memory: int, asked: int | None) -> int | None:
        return self._number("room", lambda: self._executor.room(threads, memory, asked))

    def start(self, jobs: Sequence[Any]) -> Sequence[Process]:
        started = self._told("start", lambda: list(self._executor.start(jobs)))
        if len(started) != len(jobs):
            raise FrameworkError(
                f"executor '{self._name}': start got {len(jobs)} jobs and returned {len(started)} processes"
            )
        return started

    def __enter__(self) -> Theirs:
        self._told("__enter__", self._executor.__enter__)
        return self

    def __exit__(self, *error: Any) -> None:
        self._told("__exit__", lambda: self._executor.__exit__(*error))  # whatever it returns, errors are told

    def _number(self, what: str, ask: Callable[[], Any]) -> int | None:
        answer = self._told(what, ask)
        if answer is None or (isinstance(answer, int) and not isinstance(answer, bool) and answer >= 1):
            return answer
        raise FrameworkError(
            f"executor '{self._name}': {what} is {answer!r}, and must be a whole number from 1 on, or None"
        )

    def _told(self, what: str, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except FrameworkError:
            raise
        except Exception as error:  # it is the user's, and may raise anything
            raise FrameworkError(f"executor '{self._name}': {what}: {error!r}") from error
