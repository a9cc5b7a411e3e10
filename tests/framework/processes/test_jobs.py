"""Jobs run side by side in processes, and all of them end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import FrameworkError, UsageError
from framework.processes import jobs
from framework.processes.executor import LOST
from framework.processes.jobs import run_jobs
from tests.waiting import children, gone, wait_for


@dataclass(frozen=True)
class Script:
    """A job that is a few lines of Python."""

    code: str
    output: Path

    @property
    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", self.code]


@dataclass
class JobsSpy:
    """Records the exit codes of jobs, and how many ran at once at most."""

    codes: list[int] = field(default_factory=list)
    most: int = 0

    def ended(self, job: Script, code: int, interrupted: bool) -> None:
        self.codes.append(code)

    def interrupted(self) -> None: ...

    def tick(self, running: Sequence[Script]) -> None:
        self.most = max(self.most, len(running))


@dataclass
class ScriptedJob:
    """A job that is started once for each of its codes. Each attempt is polled so often before it ends."""

    codes: list[int]
    polls: int


@dataclass
class ScriptedProcess:
    job: ScriptedJob
    code: int
    executor: ScriptedExecutor
    left: int
    signals: list[int] = field(default_factory=list)
    has_ended: bool = False

    def poll(self) -> int | None:
        self.executor.polled()
        self.left -= 1
        if self.left < 0 or self.signals:
            self.has_ended = True
        return self.code if self.has_ended else None

    def signal(self, number: int) -> None:
        assert not self.has_ended, "a process that has ended gets no signal"
        self.signals.append(number)


class ScriptedExecutor:
    """Starts scripted processes, and presses Ctrl-C at the n-th poll."""

    cores = None

    def __init__(self, interrupt_at: int | None) -> None:
        self.interrupt_at, self.polls = interrupt_at, 0
        self.processes: list[ScriptedProcess] = []
        self.most = 0
        self.started_after = 0

    def room(self, threads: int, memory: int, asked: int | None) -> int | None:
        return asked

    def start(self, jobs: Sequence[ScriptedJob]) -> list[ScriptedProcess]:
        made = []
        for job in jobs:
            attempts = sum(process.job is job for process in self.processes)
            made.append(ScriptedProcess(job, job.codes[attempts], self, job.polls))
            self.processes.append(made[-1])
        self.most = max(self.most, sum(not process.has_ended for process in self.processes))
        self.started_after += len(made) * (self.interrupt_at is not None and self.polls >= self.interrupt_at)
        return made

    def polled(self) -> None:
        self.polls += 1
        if self.polls == self.interrupt_at:
            signal.raise_signal(signal.SIGINT)

    def __enter__(self) -> ScriptedExecutor:
        return self

    def __exit__(self, *error: object) -> None: ...


@dataclass
class RetryingSpy:
    """Starts a job again as long as it has codes left."""

    seen: dict[int, list[int]] = field(default_factory=dict)
    told: int = 0

    def ended(self, job: ScriptedJob, code: int, interrupted: bool) -> bool:
        self.seen.setdefault(id(job), []).append(code)
        return len(self.seen[id(job)]) < len(job.codes)

    def interrupted(self) -> None:
        self.told += 1

    def tick(self, running: Sequence[ScriptedJob]) -> None: ...


scripted_jobs = st.lists(
    st.builds(ScriptedJob, st.lists(st.sampled_from([0, 1, 2, -9, LOST]), min_size=1, max_size=4), st.integers(0, 3)),
    max_size=6,
)


@given(scripted_jobs, st.integers(1, 4))
def test_every_job_ends_and_is_started_again_as_often_as_its_watcher_says(
    scripted: list[ScriptedJob], at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "POLL_SECONDS", 0)
        executor, spy = ScriptedExecutor(None), RetryingSpy()
        assert not run_jobs(scripted, at_once, spy, executor)
    assert [spy.seen[id(job)] for job in scripted] == [job.codes for job in scripted]
    assert executor.most <= at_once
    assert all(process.has_ended and not process.signals for process in executor.processes)


@given(scripted_jobs, st.integers(1, 4), st.integers(1, 12))
def test_after_ctrl_c_nothing_starts_and_whatever_runs_is_told_once(
    scripted: list[ScriptedJob], at_once: int, interrupt_at: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "POLL_SECONDS", 0)
        executor, spy = ScriptedExecutor(interrupt_at), RetryingSpy()
        interrupted = run_jobs(scripted, at_once, spy, executor)
    assert interrupted == (executor.polls >= interrupt_at)
    assert executor.started_after == 0
    assert all(process.has_ended for process in executor.processes)
    assert all(process.signals in ([], [signal.SIGINT]) for process in executor.processes)
    assert spy.told <= 1
    if not interrupted:
        assert [spy.seen[id(job)] for job in scripted] == [job.codes for job in scripted]


class FullExecutor(ScriptedExecutor):
    """Refuses after so many calls of `start`."""

    def __init__(self, starts: int) -> None:
        super().__init__(None)
        self.starts = starts

    def start(self, jobs: Sequence[ScriptedJob]) -> list[ScriptedProcess]:
        if not self.starts:
            raise UsageError("the queue is full")
        self.starts -= 1
        return super().start(jobs)


@pytest.mark.parametrize(("starts", "code"), [(0, 2), (1, 1)])
def test_a_refusal_after_the_first_start_is_no_wrong_input(starts: int, code: int) -> None:
    executor = FullExecutor(starts)
    with pytest.raises(FrameworkError, match="the queue is full") as refused:
        run_jobs([ScriptedJob([0], 0), ScriptedJob([0], 0)], 1, RetryingSpy(), executor)
    assert refused.value.exit_code == code, "2 says that nothing has begun"
    assert all(process.has_ended for process in executor.processes)


MEET = """
import pathlib, sys, time
folder = pathlib.Path({folder!r})
(folder / "{number}").touch()
until = time.monotonic() + 60
while len(list(folder.iterdir())) < 2:
    assert time.monotonic() < until
    time.sleep(0.01)
"""


def test_jobs_run_side_by_side(tmp_path: Path) -> None:
    """Each job waits for the other. One after the other, they would never end."""
    (meeting := tmp_path / "meeting").mkdir()
    scripts = [Script(MEET.format(folder=str(meeting), number=n), tmp_path / f"{n}.txt") for n in range(2)]
    spy = JobsSpy()
    assert not run_jobs(scripts, 2, spy)
    assert spy.codes == [0, 0]
    assert spy.most == 2


COUNTED = """
import time
def note(sign):
    with open({file!r}, "a") as file: file.write(sign)
note("+"); time.sleep(0.1); note("-")
"""


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_no_more_than_so_many_at_once(at_once: int, tmp_path: Path) -> None:
    events = tmp_path / "events"
    scripts = [Script(COUNTED.format(file=str(events)), tmp_path / f"{n}.txt") for n in range(5)]
    run_jobs(scripts, at_once, spy := JobsSpy())
    running = [events.read_text()[: place + 1].count("+") - events.read_text()[:place].count("-") for place in range(9)]
    assert max(running) <= at_once
    assert spy.codes == [0] * 5


def test_output_exit_codes_and_threads(tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['OMP_NUM_THREADS'], file=sys.stderr); sys.exit(3)"
    scripts = [Script(code, tmp_path / "new" / "1.txt"), Script("import os; os.abort()", tmp_path / "2.txt")]
    run_jobs(scripts, 1, spy := JobsSpy())
    assert spy.codes == [3, -signal.SIGABRT]
    assert (tmp_path / "new" / "1.txt").read_text() == "1\n"


def test_an_error_in_the_parent_ends_the_jobs(tmp_path: Path) -> None:
    class Raises(JobsSpy):
        def tick(self, running: Sequence[Script]) -> None:
            if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
                raise RuntimeError("enough")

    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(RuntimeError, match="enough"):
        run_jobs([Script(code, tmp_path / "1.txt")], 1, Raises())
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text())), "it is waited for, too"


HOST = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_jobs import JobsSpy, Script
from framework.processes.jobs import run_jobs
folder = Path({folder!r})
code = '''
import os, signal, time
{obey}
open({folder!r} + f"/pid-{{os.getpid()}}", "w").close()
time.sleep(600)
'''
spy = JobsSpy()
interrupted = run_jobs([Script(code, folder / f"{{n}}.txt") for n in range(3)], 2, spy)
print(interrupted, spy.codes, flush=True)
"""


def host(folder: Path, obey: str) -> tuple[subprocess.Popen[str], list[int]]:
    """Start a process that runs three jobs, two at once. Returns it and the process ids of the first two jobs."""
    code = HOST.format(tests=str(Path(__file__).parent), folder=str(folder), obey=textwrap.dedent(obey))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: len(list(folder.glob("pid-*"))) == 2 or process.poll() is not None)
    return process, [int(path.name.removeprefix("pid-")) for path in folder.glob("pid-*")]


def test_ctrl_c_is_passed_on_once_and_nothing_new_starts(tmp_path: Path) -> None:
    """A second SIGINT would end the job with another code."""
    process, pids = host(tmp_path, "signal.signal(signal.SIGINT, lambda *_: os._exit(7))")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out.splitlines()[-1] == "True [7, 7]"
    assert gone(pids)
    assert len(list(tmp_path.glob("pid-*"))) == 2


def test_a_second_ctrl_c_kills(tmp_path: Path) -> None:
    told = tmp_path / "told"
    process, pids = host(tmp_path, f"signal.signal(signal.SIGINT, lambda *_: open({str(told)!r}, 'w').close())")
    process.send_signal(signal.SIGINT)
    wait_for(told.exists)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out.splitlines()[-1] == f"True [{-signal.SIGKILL}, {-signal.SIGKILL}]"
    assert gone(pids)


def test_sigterm_terminates_them_and_ends_with_its_code(tmp_path: Path) -> None:
    process, pids = host(tmp_path, "")
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert gone(pids)


def test_a_run_ends_when_its_study_is_killed(tmp_path: Path) -> None:
    words = ["run", "-p", "tabular,grid", "--steps", "100000000", "--seeds", "2", "--jobs", "2", "--run-dir", "s"]
    process = subprocess.Popen([sys.executable, "-m", "framework", *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
    wait_for(lambda: len(list(tmp_path.glob("s/*/seed-?/metrics.jsonl"))) == 2 or process.poll() is not None)
    begun = [child.pid for child in children(process.pid, "framework.cli.child")]
    assert len(begun) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    wait_for(lambda: gone(begun))
