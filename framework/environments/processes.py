"""Environments in processes of their own: slow ones step at once, and one that crashes or hangs is named."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode
from gymnasium.vector.async_vector_env import AsyncState


class EnvironmentProcessError(RuntimeError):
    """An environment's process did not answer in time, or is no more."""


class EnvProcesses(AsyncVectorEnv):
    """gymnasium's `AsyncVectorEnv`, whose waits end: with which environment did not answer, and what became of it.

    The processes end with the one that made them, and leave Ctrl-C to it.
    """

    def __init__(self, factory: Callable[[], gymnasium.Env[Any, Any]], num_envs: int, seconds: float) -> None:
        """Args:
        factory: of one environment; where processes cannot be forked, it must be importable.
        num_envs: how many.
        seconds: that making one, a reset, a step or the end may take; 0 waits for ever.
        """
        self._seconds, self._lost, self._overdue = seconds or None, False, False

        parent = os.getpid()

        def make() -> gymnasium.Env[Any, Any]:
            if os.getpid() != parent:  # gymnasium makes one here, to look at its spaces
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
            return factory()

        context = "fork" if sys.platform == "linux" else None
        super().__init__([make] * num_envs, context=context, autoreset_mode=AutoresetMode.DISABLED)

    def _check_spaces(self) -> None:
        """Called by gymnasium once all are made."""
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
        """Ask the processes to end; kill them all if one has been lost or does not."""
        if not self._lost:
            try:
                with self._limited():
                    super().close_extras(timeout, terminate)
                return
            except (EOFError, OSError):
                pass
        self._kill()
        self._state = AsyncState.DEFAULT  # nothing is waited for any more
        with suppress(EOFError, OSError):
            super().close_extras(timeout, terminate=True)

    def _kill(self) -> None:
        for process in self.processes:
            process.kill()

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """For what gymnasium waits for without a limit: where it takes too long, the processes are killed."""

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


def _end_with(parent: int) -> None:
    """End this process once the one that made it has ended, however that did."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
