"""Plays evaluations in a process of its own, while training goes on (the option evaluation.lag).

The process assembles the agent from the same plugins and options, so an evaluation there has the same result as here.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import IO, Any, TypeAlias

from framework.assembly.assemble import assemble_agent
from framework.assembly.manager import PluginError
from framework.assembly.parts import Parts
from framework.errors import FrameworkError
from framework.events import EvaluationResult
from framework.options import RunOptions
from framework.processes.lifeline import STOP_SIGNALS, end_with_parent
from framework.training.blame import plugins_named
from framework.training.evaluation import evaluate
from framework.training.evaluations import Waiting
from framework.types import State

BEAT_SECONDS = 0.5
"""The time between two messages of the process while it plays."""

POLL_SECONDS = 0.1
"""The time between two looks at whether the run was stopped, while training waits."""

INSTEAD = "With evaluation.lag=0, training plays them itself"

NICENESS = 5
"""Training comes first where both want a core."""

GRACE_SECONDS = 1.0
"""How long the process may take to end."""


Failure: TypeAlias = tuple[bool, str]
"""What the process sends in place of a result: whether a plugin is to blame, and what happened."""


class EvaluationProcess:
    """A process that evaluates an agent with the weights that it is given, one evaluation at a time."""

    def __init__(self, parts: Parts) -> None:
        """Start the process. It builds the agent while training begins.

        Args:
            parts: of the run; the process gets its plugins and options.
        """
        ours, theirs = socket.socketpair()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the process
        with ours, theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                stdin=subprocess.PIPE,  # the process ends when this closes, however this process ends
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                process_group=0,  # Ctrl-C ends the run, and the run ends this
            )
            self._connection = Connection(ours.detach())
        self._send(parts.recipe)
        self._is_ready = False

    def check(self) -> None:
        """Look whether the process could build the agent, if that is not known yet.

        Raises:
            FrameworkError: if it could not.
        """
        if not self._is_ready and self._connection.poll(0):
            self._receive()

    def begin(self, name: str, episodes: int, first: int, weights: State | None) -> None:
        """Begin an evaluation. The one before must have ended.

        Args:
            name: the seed of the episodes depends on it.
            episodes: how many.
            first: the evaluation ends after this many if run.until is out of reach (`evaluate`); 0: all are played.
            weights: the policy's state; None: as in the evaluation before.
        """
        self._send((name, episodes, first, weights))

    def result(self, waiting: Waiting) -> EvaluationResult:
        """Wait for the evaluation that was begun.

        Args:
            waiting: called several times a second. An exception that it raises ends the waiting.

        Raises:
            FrameworkError: if the agent cannot be built there, the evaluation raises, or the process ends.
        """
        while True:
            if not self._connection.poll(POLL_SECONDS):
                waiting(None)
                continue
            answer = self._receive()
            if isinstance(answer, EvaluationResult):
                return answer
            waiting(answer)

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._errors.close()

    def _receive(self) -> EvaluationResult | int | None:
        """The next message: a result, a number of finished episodes, or None once the agent is built."""
        try:
            answer: EvaluationResult | Failure | int | None = self._connection.recv()
        except (EOFError, OSError) as error:
            raise FrameworkError(self._last_words()) from error
        if isinstance(answer, tuple):
            of_a_plugin, text = answer
            raise PluginError(text) if of_a_plugin else FrameworkError(f"evaluations: {text}")
        self._is_ready = True
        return answer

    def _send(self, message: Any) -> None:
        with suppress(OSError):  # `result` says how the process ended
            self._connection.send(message)

    def _last_words(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        code = self._process.poll()
        how = (
            "is lost" if code is None else f"ended with signal {-code}" if code < 0 else f"ended with exit code {code}"
        )
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        said = f": {lines[-1]}" if lines else ""
        return f"the process that plays the evaluations {how}{said}. {INSTEAD}"


def serve(connection: Connection) -> None:
    """Build the agent of the first message, then answer every request until the other end is closed."""
    recipe = connection.recv()
    try:
        agent = assemble_agent(recipe.names, [recipe.source])
    except Exception as error:
        connection.send((False, f"the process that plays them cannot build the agent: {error}. {INSTEAD}"))
        return
    connection.send(None)
    goal = agent.config[RunOptions].until
    while True:
        name, episodes, first, weights = connection.recv()
        try:
            if weights is not None:
                agent.policy.load_state_dict(weights)
            with plugins_named(agent):
                beat = _Beat(connection)
                answer: Any = evaluate(agent, name=name, episodes=episodes, first=first, goal=goal, after_step=beat)
        except _Lost:
            return
        except Exception as error:
            text = str(error) if isinstance(error, FrameworkError) else f"{type(error).__name__}: {error}"
            answer = isinstance(error, PluginError), text
        connection.send(answer)


class _Lost(Exception):
    """The run has ended."""


class _Beat:
    """Sends the number of finished episodes, at most once in `BEAT_SECONDS`."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._sent = connection, time.monotonic()

    def __call__(self, finished: int) -> None:
        if time.monotonic() - self._sent >= BEAT_SECONDS:
            self._sent = time.monotonic()
            try:
                self._connection.send(finished)
            except OSError as error:
                raise _Lost from error


if __name__ == "__main__":
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # a batch system sends them to every process; the run ends this one
    end_with_parent(lambda: os._exit(1))
    os.nice(NICENESS)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the run has ended
        serve(Connection(int(sys.argv[1])))
