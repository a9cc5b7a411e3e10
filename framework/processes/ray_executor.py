"""The executor on Ray: each job is a process on a machine of a cluster, and its actor reserves its cores and memory."""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from framework.errors import UsageError
from framework.processes.cluster import connect
from framework.processes.executor import LOST, Job
from framework.processes.limits import usable_cores
from framework.processes.remote_host import Host, files_of, link, read, write
from framework.processes.swap import put_back, swap

NOTICE_SECONDS = 15.0
"""How long a job counts as running after it is lost. Ray needs that time to notice that a machine is gone.

If the job started again before, Ray might place it on the same machine.
"""


class RayExecutor:
    """Ray places each job where its threads and its memory are free, and lets it wait for that."""

    def __init__(self, address: str = "") -> None:
        """Args:
        address: of a Ray cluster, as `connect` takes it; "" for a Ray of this machine.
        """
        self._address = address
        self._at_the_end = ExitStack()
        self._processes: list[RemoteProcess] = []

    def __enter__(self) -> RayExecutor:
        self._at_the_end.enter_context(connect(self._address, cores=usable_cores()))
        return self

    def __exit__(self, *error: Any) -> None:
        for process in self._processes:
            process.abandon()
        self._at_the_end.close()

    @property
    def cores(self) -> int:
        """The cores of the cluster's machines that are there now."""
        return int(sum(_of_each_node("CPU")))

    def room(self, threads: int, memory: int, asked: int | None) -> int | None:
        """As many as are asked for; else all, because Ray lets them wait."""
        largest = max([0.0, *_of_each_node("memory")])
        if largest and memory > largest:
            raise UsageError(
                f"a run needs {memory / 1e9:,.2f} GB for its replay, and the largest machine of the Ray cluster offers "
                f"{largest / 1e9:.2f} GB: make replay.capacity smaller"
            )
        return asked

    def start(self, jobs: Sequence[Job]) -> list[RemoteProcess]:
        """Give every job to Ray, in an actor that reserves its cores and its memory."""
        import ray

        most = int(max([0.0, *_of_each_node("CPU")]))
        host = ray.remote(Host)
        started = []
        for job in jobs:
            # more threads than any machine has cores: a whole machine
            cores = min(job.threads, most) if most else job.threads
            actor = host.options(num_cpus=cores, memory=job.memory or None, max_concurrency=4).remote()
            started.append(RemoteProcess(job, actor))
        self._processes += started
        return started


class RemoteProcess:
    """A job on the cluster. A thread of this process attends to it."""

    def __init__(self, job: Job, host: Any) -> None:
        """Args:
        job: the job.
        host: the handle of an actor of class `Host`, which may not have a place yet.
        """
        self._job, self._host = job, host
        self._lock = threading.Lock()
        self._has_place = False
        self._never_started: int | None = None
        self._was_signalled = threading.Event()
        self._code: int | None = None
        threading.Thread(target=self._attend, daemon=True).start()

    def poll(self) -> int | None:
        return self._code

    def signal(self, number: int) -> None:
        self._was_signalled.set()
        with self._lock:
            if self._code is None and self._has_place:
                self._host.signal.remote(number)
            elif self._code is None and self._never_started is None:
                self._never_started = number
                self._kill()

    def abandon(self) -> None:
        """End the actor, and its process with it."""
        self._was_signalled.set()
        if self._code is None:
            self._kill()

    def _kill(self) -> None:
        import ray

        with suppress(Exception):  # it may be gone already, and the cluster with it
            ray.kill(self._host)

    def _attend(self) -> None:
        from ray.exceptions import RayError, RayTaskError

        try:
            code = self._run()
        except RayTaskError as error:  # the machine could not do it
            self._note(f"error: {error.cause!r}")
            code = 1
        except RayError as error:
            if self._never_started is None:
                code = LOST
                self._note(f"lost: {' '.join(str(error).split())}")
                self._was_signalled.wait(NOTICE_SECONDS)
            else:
                code = -self._never_started
        except Exception as error:  # this side could not do it, such as a full disk
            self._note(f"error: {error!r}")
            code = 1
        self._kill()
        self._code = code

    def _run(self) -> int:
        import ray

        def ask(method: str, *given: Any) -> Any:
            return ray.get(getattr(self._host, method).remote(*given))

        folder, output = self._job.folder.absolute(), self._job.output.absolute()
        output.parent.mkdir(parents=True, exist_ok=True)
        token = output.with_name(f".{output.name}.{uuid.uuid4().hex}")
        token.write_text(token.name, encoding="utf-8")
        try:
            is_shared = ask("sees", str(token), token.name)
        finally:
            token.unlink(missing_ok=True)
        with self._lock:
            if self._never_started is not None:
                return -self._never_started
            self._has_place = True
        command = self._job.command
        if is_shared:
            ask("start", _moved(command, self._job.folder, folder), str(output), os.getcwd())
            return int(ask("wait"))
        scratch = Path(ask("scratch"))
        there, their_output = scratch / "run", scratch / "output.txt"
        self._send(ask, folder, there)
        ask("start", _moved(command, self._job.folder, there), str(their_output), os.getcwd())
        code = int(ask("wait"))
        self._fetch(ask, there, folder)
        for chunk in _chunks(ask, their_output):
            write(output, chunk)
        ask("clean")
        return code

    def _send(self, ask: Any, folder: Path, there: Path) -> None:
        """Send what an earlier process of the job left: it goes on from there."""
        for name, same in files_of(folder):
            if same != name:
                ask("link", str(there / name), str(there / same))
                continue
            offset = 0
            while True:
                chunk = read(folder / name, offset)
                if chunk or not offset:
                    ask("write", str(there / name), chunk)
                if not chunk:
                    break
                offset += len(chunk)

    def _fetch(self, ask: Any, there: Path, folder: Path) -> None:
        """Get everything that the process has written; then, and not before, it replaces what was here."""
        put_back(folder)
        incoming = folder.with_name(f".{folder.name}.incoming")
        shutil.rmtree(incoming, ignore_errors=True)
        for name, same in ask("files", str(there)):
            if same != name:
                link(incoming / name, incoming / same)
                continue
            write(incoming / name, b"")
            for chunk in _chunks(ask, there / name):
                write(incoming / name, chunk)
        if not incoming.exists():
            return
        swap(incoming, folder)

    def _note(self, text: str) -> None:
        with suppress(OSError):
            write(self._job.output, f"{text}\n".encode())


def _chunks(ask: Any, path: Path) -> Any:
    offset = 0
    while chunk := ask("read", str(path), offset):
        yield chunk
        offset += len(chunk)


def _moved(command: Sequence[str], folder: Path, there: Path) -> list[str]:
    """The command for a folder in another place."""
    return [
        f"{word.removesuffix(str(folder))}{there}" if word == str(folder) or word.endswith(f"={folder}") else word
        for word in command
    ]


def _of_each_node(resource: str) -> list[float]:
    import ray

    nodes: Any = ray.nodes
    return [node["Resources"].get(resource, 0.0) for node in nodes() if node["Alive"]]
