"""Environments in processes of their own: slow ones step at once, and one that crashes or hangs is named."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode
from gymnasium.vector.async_vector_env import AsyncState


class EnvironmentProcessError(RuntimeError):
    """An environment's process did not answer in time, or is no more."""


class EnvProcesses(AsyncVectorEnv):
    """gymnasium's `AsyncVectorEnv`, whose waits end: with which environment did not answer, and what became of it."""

    def __init__(self, factory: Callable[[], gymnasium.Env[Any, Any]], num_envs: int, seconds: float | None) -> None:
        """Args:
        factory: of one environment; where processes cannot be forked, it must be importable.
        num_envs: how many.
        seconds: that a reset or a step may take; None waits for ever.
        """
        self._seconds, self._lost = seconds, False
        context = "fork" if sys.platform == "linux" else None
        super().__init__([factory] * num_envs, context=context, autoreset_mode=AutoresetMode.DISABLED)

    def reset_wait(self, timeout: float | None = None) -> Any:
        return self._bounded(lambda: super(EnvProcesses, self).reset_wait(timeout or self._seconds))

    def step_async(self, actions: Any) -> None:
        self._bounded(lambda: super(EnvProcesses, self).step_async(actions))

    def step_wait(self, timeout: float | None = None) -> Any:
        return self._bounded(lambda: super(EnvProcesses, self).step_wait(timeout or self._seconds))

    def close_extras(self, timeout: float | None = None, terminate: bool = False) -> None:
        """Ask the processes to end, or kill them all if one has been lost."""
        if self._lost:
            for process in self.processes:
                process.kill()
            self._state = AsyncState.DEFAULT  # nothing is waited for any more
        super().close_extras(timeout, terminate or self._lost)

    def _bounded(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except multiprocessing.TimeoutError as error:
            self._lost = True
            raise EnvironmentProcessError(f"{self._silent()} within {self._seconds:g} seconds") from error
        except (EOFError, OSError) as error:
            self._lost = True
            raise EnvironmentProcessError(self._ended()) from error
        except Exception:
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
        for process in self.processes:
            process.join(0.1)
        codes = [(number, process.exitcode) for number, process in enumerate(self.processes)]
        told = [
            f"environment {number} ended its process ({f'exit code {code}' if code >= 0 else f'signal {-code}'})"
            for number, code in codes
            if code is not None
        ]
        return ", ".join(told) or "an environment's process cannot be reached"
