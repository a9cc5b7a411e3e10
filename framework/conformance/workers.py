"""Processes that run checks, each watched: one that hangs, dies or eats memory is ended, and that is a finding."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import psutil

MEMORY = 4 * 2**30
"""Bytes that a worker may hold in memory."""

PLAN_SECONDS = 120.0
"""How long importing the plugins and closing the composition may take."""

POLL_SECONDS = 0.1

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Lost(Exception):
    """The worker is no more; the message says what it did, for the sentence "the plugin …"."""


class Worker:
    """One process, started when it is first asked, and anew after it was lost."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._errors: Any = None

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send a request and wait for the answer.

        Raises:
            Lost: if none comes within so many seconds, or the process ends or takes too much memory.
        """
        process = self._started()
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._answers.get(timeout=POLL_SECONDS)
            except queue.Empty:
                reason = self._misbehaviour(process, deadline, seconds)
                if not reason:
                    continue
            else:
                if line is not None:
                    answer: dict[str, Any] = json.loads(line)
                    return answer
                reason = f"ended the process ({_code(process.wait())}){self._last_words()}"
            self.close()
            raise Lost(reason)

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self._process.pid).children(recursive=True):
                    child.kill()
            self._process.kill()
            self._process.wait()
            for file in (self._process.stdin, self._process.stdout, self._errors):
                assert file is not None
                with suppress(BrokenPipeError):
                    file.close()
            self._process = None

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            # it lives as long as the process
            self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
            self._process = subprocess.Popen(
                [sys.executable, "-m", "framework.conformance.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                encoding="utf-8",
                env={**ONE_THREAD, **os.environ},
            )
            self._answers = queue.Queue()
            threading.Thread(target=_read, args=(self._process, self._answers), daemon=True).start()
        return self._process

    def _misbehaviour(self, process: subprocess.Popen[str], deadline: float, seconds: float) -> str:
        if time.monotonic() > deadline:
            return f"did not come to an end within {seconds:g} seconds"
        try:
            held = psutil.Process(process.pid).memory_info().rss
        except psutil.NoSuchProcess:
            return ""
        return f"took more than {MEMORY / 2**30:g} GB of memory" if held > MEMORY else ""

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        return f": {lines[-1].strip()}" if lines else ""


def _read(process: subprocess.Popen[str], answers: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    with suppress(ValueError):  # closed while it was read
        for line in process.stdout:
            answers.put(line)
    answers.put(None)


def _code(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def in_workers(tasks: list[Any], jobs: int, work: Callable[[Worker, Any], None]) -> None:
    """Call `work(worker, task)` for every task, in their order, with so many workers side by side."""
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

    workers = [Worker() for _ in range(min(jobs, len(tasks)))]
    threads = [threading.Thread(target=drain, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(POLL_SECONDS)
    except KeyboardInterrupt as interrupt:
        failures.append(interrupt)
        for worker in workers:
            worker.close()
        raise
    if failures:
        raise failures[0]
