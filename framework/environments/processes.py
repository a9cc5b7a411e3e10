"""Environments in processes of their own: slow ones step in parallel, and an error names one that crashes or hangs."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode
from gymnasium.vector.async_vector_env import AsyncState


class EnvironmentProcessError(RuntimeError):
    """An environment's process did not answer in time, or has ended."""


class EnvProcesses(AsyncVectorEnv):
    """gymnasium's `AsyncVectorEnv` with a time limit for every wait. The error says which environment failed, and how.

    The processes end when the process that made them ends. They ignore Ctrl-C, which that process handles.
    """

    def __init__(
        self,
        factory: Callable[[], gymnasium.Env[Any, Any]],
        num_envs: int,
        seconds: float,
        global_seeds: Sequence[int] = (),
    ) -> None:
        """Args:
        factory: makes one environment; where processes are not forked, it must be importable.
        num_envs: the number of environments.
        seconds: limit for making the environments, a reset, a step and closing; 0: no limit.
        global_seeds: for the global random state of each process, of numpy and of Python; see `vectorise`.
        """
        self._seconds, self._lost, self._overdue = seconds or None, False, False

        parent = os.getpid()

        def make(number: int) -> gymnasium.Env[Any, Any]:
            if os.getpid() != parent:  # gymnasium also makes one in this process, to read its spaces
                # a whole group of processes may get these; the parent ends the run, and this process ends with it
                for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
                    signal.signal(ignored, signal.SIG_IGN)
                threading.Thread(target=end_with, args=(parent,), daemon=True).start()
                own_random_state(global_seeds[number] if global_seeds else number)
            return factory()

        context = "fork" if sys.platform == "linux" else None
        _RUNNING.add(self)
        super().__init__(
            [partial(make, n) for n in range(num_envs)], context=context, autoreset_mode=AutoresetMode.DISABLED
        )

    def _check_spaces(self) -> None:
        """gymnasium calls this once all environments are made."""
        with self._bounded(), self._limited():
            super()._check_spaces()  # type: ignore[no-untyped-call]

    def reset_async(self, *args: Any, **kwargs: Any) -> None:
        with self._bounded():
            super().reset_async(*args, **kwargs)

    def reset_wait(self, timeout: float | None = None) -> Any:
        with self._bounded():
            return super().reset_wait(timeout or self._seconds)

    def step_async(self, actions: Any) -> None:
        with self._bounded():
            super().step_async(actions)

    def step_wait(self, timeout: float | None = None) -> Any:
        with self._bounded():
            return super().step_wait(timeout or self._seconds)

    def close_extras(self, timeout: float | None = None, terminate: bool = False) -> None:
        """Ask the processes to end. Kill them all if one is lost or does not end in time."""
        if not self._lost:
            try:
                with self._limited():
                    super().close_extras(timeout, terminate)
                return
            except (EOFError, OSError):
                pass
        self._kill()
        self._state = AsyncState.DEFAULT  # gymnasium must not wait for a result any more
        with suppress(EOFError, OSError):
            super().close_extras(timeout, terminate=True)

    def _kill(self) -> None:
        for process in self.processes:
            process.kill()

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """A time limit around calls in which gymnasium waits without one. After it, the processes are killed."""

        def overdue() -> None:
            self._overdue = True
            self._kill()

        timer = threading.Timer(self._seconds, overdue) if self._seconds else None
        if timer is not None:
            timer.start()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        try:
            yield
        except multiprocessing.TimeoutError as error:
            self._lost = True
            raise EnvironmentProcessError(f"{self._silent()} within {self._seconds:g} seconds") from error
        except (EOFError, OSError) as error:
            self._lost = True
            raise EnvironmentProcessError(self._ended()) from error
        except BaseException:
            self._lost = True
            raise

    def _silent(self) -> str:
        names = [
            f"environment {number} (process {process.pid})"
            for number, (process, pipe) in enumerate(zip(self.processes, self.parent_pipes, strict=True))
            if not pipe.poll(0)
        ]
        return f"{', '.join(names)} did not answer"

    def _ended(self) -> str:
        if self._overdue:
            return f"an environment was not made within {self._seconds:g} seconds"
        for process in self.processes:
            process.join(0.1)
        codes = [(number, process.exitcode) for number, process in enumerate(self.processes)]
        messages = [
            f"environment {number} ended its process ({f'exit code {code}' if code >= 0 else f'signal {-code}'})"
            for number, code in codes
            if code is not None
        ]
        return ", ".join(messages) or "an environment's process cannot be reached"


_RUNNING: weakref.WeakSet[EnvProcesses] = weakref.WeakSet()


@atexit.register
def _kill_what_was_not_closed() -> None:
    """multiprocessing would terminate these processes, which ignore that, and wait for them."""
    for env in list(_RUNNING):
        for process in getattr(env, "processes", ()):
            process.kill()


def own_random_state(seed: int) -> None:
    """Give this process a global random state of its own, and one thread of torch.

    A forked process has its parent's states. The threads of the parent's torch do not exist after a fork, and an
    operation that waits for them never ends.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  # an environment may use the global generator
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
        sys.modules["torch"].manual_seed(seed)


def end_with(parent: int) -> None:
    """End this process once its parent has ended, for whatever reason."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
