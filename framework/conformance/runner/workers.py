"""Runs checks in processes and watches these. If one hangs, dies or takes too much memory, that is a finding."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

import psutil

from framework.processes.local import ONE_THREAD
from framework.training.blame import LIBRARIES

MEMORY = 4 * 2**30
"""The most bytes of memory that a worker may use, including the private memory of its children."""

PLAN_SECONDS = 120.0
"""How long importing the plugins may take, and also how long building a composition may take."""

POLL_SECONDS = 0.2
"""The time between two looks at a worker that has not answered yet."""

GRACE_SECONDS = 1.0
"""How long to wait for a killed process to end, and for its last output to arrive."""


WHERE = signal.SIGUSR1
"""The signal that makes a worker print where its code is."""

FRAME = re.compile(r'^  File "([^"]+)", line (\d+) in (.+)$', re.MULTILINE)
"""A line of faulthandler's output."""

NOT_A_PLUGIN = (*LIBRARIES, os.path.dirname(os.path.dirname(__file__)))
"""Folders whose code is not a plugin's: libraries and the harness itself."""


class WorkerLost(Exception):
    """The worker was lost. The message continues "the composition …"; `seconds` is how long the request took."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Worker:
    """One process. It starts at the first request, and starts again after it was lost."""

    def __init__(self) -> None:
        self._process: _Process | None = None

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send a request and wait for the answer.

        Raises:
            WorkerLost: if no answer comes within `seconds`, or the process ends or takes too much memory.
        """
        if self._process is None or self._process.code is not None:
            self.close()
            self._process = _Process()
        try:
            return self._process.ask(request, seconds)
        except WorkerLost:
            self.close()
            raise

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.close()


class _Process:
    """A worker's process. It has its own process session, so that its children can be killed with it."""

    def __init__(self) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the process
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "framework.conformance.runner.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env={**ONE_THREAD, **os.environ},
            start_new_session=True,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def code(self) -> int | None:
        """The exit code, once the process has ended."""
        return self._popen.poll()

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """See `Worker.ask`."""
        began = time.monotonic()
        said = self._said
        self._send(request)
        while (answer := self._answer()) is None:
            took = time.monotonic() - began
            reason = self._ended(said) if self.code is not None else self._misbehaviour(took > seconds, seconds)
            if reason:
                raise WorkerLost(reason, took)
        return answer

    def close(self) -> None:
        """Kill the process and its children, and wait at most `GRACE_SECONDS` for its end."""
        for child in _children(self._popen.pid):
            with suppress(psutil.Error):
                child.kill()
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(GRACE_SECONDS)
        assert self._popen.stdin is not None
        with suppress(BrokenPipeError):
            self._popen.stdin.close()
        self._errors.close()

    def _ended(self, said: int) -> str:
        """How the process ended, or "" if it answered."""
        self._reader.join(GRACE_SECONDS)
        if self.code is None or not self._answers.empty():
            return ""
        return f"ended the process ({_exit_text(self.code)}){self._last_words(said)}"

    def _misbehaviour(self, is_late: bool, limit: float) -> str:
        if is_late:
            return f"did not end within {limit:g} seconds{self._whereabouts()}"
        if _memory(self._popen.pid) > MEMORY:
            return f"took more than {MEMORY / 2**30:g} GB of memory{self._whereabouts()}"
        return ""

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._popen.stdin is not None
        with suppress(BrokenPipeError):
            self._popen.stdin.write(json.dumps(request) + "\n")
            self._popen.stdin.flush()

    def _answer(self) -> dict[str, Any] | None:
        """The next answer, or None if there is none for a while."""
        try:
            answer: dict[str, Any] = json.loads(self._answers.get(timeout=POLL_SECONDS))
        except queue.Empty:
            return None
        return answer

    def _read(self) -> None:
        """Read whole lines until the pipe closes. A child that inherited the pipe may keep it open for ever."""
        assert self._popen.stdout is not None
        with self._popen.stdout as lines:
            for line in lines:
                if line.endswith("\n"):
                    self._answers.put(line)

    def _whereabouts(self) -> str:
        """Where the process's code is now, or "" if it does not answer."""
        before = self._said
        with suppress(ProcessLookupError):
            os.kill(self._popen.pid, WHERE)
        deadline, size = time.monotonic() + GRACE_SECONDS, before
        while (size == before or size < self._said) and time.monotonic() < deadline:
            size = self._said
            time.sleep(POLL_SECONDS / 4)  # until the process has begun to print, and has printed everything
        return stopped_at(self._printed(before))

    def _last_words(self, since: int) -> str:
        printed = self._printed(since)
        lines = [line for line in printed.splitlines() if line.strip()]
        fatal = [line for line in lines if line.startswith("Fatal Python error")]
        if fatal:
            return f": {fatal[-1]}{stopped_at(printed)}"
        return f": {lines[-1].strip()}" if lines else ""

    @property
    def _said(self) -> int:
        return os.fstat(self._errors.fileno()).st_size

    def _printed(self, since: int) -> str:
        return os.pread(self._errors.fileno(), self._said - since, since).decode("utf-8", "replace")


def stopped_at(dump: str) -> str:
    """The innermost line of a plugin's code in faulthandler's output, whose first line is the innermost of all."""
    frames = [found.groups() for found in FRAME.finditer(dump)]
    outside = [frame for frame in frames if not any(part in frame[0] for part in NOT_A_PLUGIN)] or frames
    return "; it was at {}:{}, in {}".format(*outside[0]) if outside else ""


def _children(pid: int) -> list[psutil.Process]:
    try:
        children: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return children


def _memory(pid: int) -> int:
    """Bytes of memory of a process, plus the private memory of each of its children."""
    memory = 0
    with suppress(psutil.Error):
        memory += psutil.Process(pid).memory_info().rss
    for child in _children(pid):
        with suppress(psutil.Error):
            memory += child.memory_full_info().uss
    return memory


def _exit_text(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def in_workers(tasks: list[Any], workers: Sequence[Worker], work: Callable[[Worker, Any], None]) -> None:
    """Call `work(worker, task)` for every task, in their order, with all workers in parallel.

    After an interrupt, each running task continues until its worker is closed.
    """
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    failures: list[BaseException] = []

    def drain(worker: Worker) -> None:
        try:
            while not failures:
                try:
                    task = waiting.get_nowait()
                except queue.Empty:
                    return
                work(worker, task)
        except BaseException as error:
            failures.append(error)
        finally:
            worker.close()

    busy = workers[: len(tasks)]
    threads = [threading.Thread(target=drain, args=(worker,), daemon=True) for worker in busy]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(POLL_SECONDS)
    except KeyboardInterrupt as interrupt:
        failures.append(interrupt)
        raise
    if failures:
        raise failures[0]
