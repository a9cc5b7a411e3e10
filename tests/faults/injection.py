"""System calls that fail, or that kill the process: each system call that a save makes, with strace.

strace makes the k-th call of a kind fail, or kills the process at it, whichever library makes the call.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import framework
from framework.checkpoints.folder import CheckpointFolder
from tests.faults.runs import LATER, Recorded, sha256_of, without_figures

STRACE = shutil.which("strace")

CALLS = ("write", "pwrite64", "fsync", "rename", "link", "mkdir", "unlink", "rmdir", "ftruncate", "fchmodat", "chmod")
"""The calls that change a file system, as Linux on x86-64 knows them."""

HOWS = ("ENOSPC", "EIO", "EACCES", "SIGKILL")
"""A full disk, a broken disk, no permission, and the end of the process."""


KILLED = (-9, 137)
"""Exit codes of a killed process, as Python and as a shell report them."""


@dataclass(frozen=True)
class Fault:
    """The k-th call of a kind fails with an error, or kills the process."""

    call: str
    number: int
    how: str

    def words(self) -> list[str]:
        """The arguments for strace."""
        what = "signal=SIGKILL" if self.how == "SIGKILL" else f"error={self.how}"
        return ["-e", f"trace={self.call}", "-e", f"inject={self.call}:{what}:when={self.number}"]


@dataclass(frozen=True)
class Injected:
    """The result of a fault: whether it happened, and the exit code of the process."""

    fault: Fault
    struck: bool
    code: int


def goes_on(run: Path, steps: int) -> list[str]:
    """The command of the process that gets the fault: it resumes a run, saves it and ends."""
    code = (
        "import sys; import framework.recording.figures as figures; figures.draw_figures = lambda folder: []; "
        "from framework.cli.main import main; main()"
    )
    words = ["run", "--resume", str(run), "--steps", str(steps), "--set", "checkpoint.every=20"]
    return [sys.executable, "-c", code, *words]


def counted(recorded: Recorded, place: Path) -> dict[str, int]:
    """How often a process without faults makes each call."""
    run = place / "counted"
    shutil.copytree(recorded.folder, run)
    log = place / "counted.txt"
    trace = [*_strace(log), "-e", f"trace={','.join(f'?{call}' for call in CALLS)}"]
    subprocess.run([*trace, *goes_on(run, LATER)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = re.findall(r"^(?:\d+ +)?(\w+)\(", log.read_text(errors="replace"), re.MULTILINE)
    return {call: found.count(call) for call in CALLS if call in found}


def faults(counts: dict[str, int], hows: tuple[str, ...]) -> Iterator[Fault]:
    """Every fault: each call of each kind, with each of `hows`."""
    for call, count in counts.items():
        for number in range(1, count + 1):
            for how in hows:
                yield Fault(call, number, how)


def inject(recorded: Recorded, fault: Fault, place: Path) -> Injected:
    """Resume a copy of the run in a process with the fault, then resume what this process left.

    Raises:
        AssertionError: if the run ends otherwise than without the fault, or if the process ended without a message.
    """
    run = Path(tempfile.mkdtemp(dir=place)) / "run"
    shutil.copytree(recorded.folder, run)
    log = run.parent / "strace.txt"
    # strace with --seccomp-bpf does not inject signals
    trace = [*_strace(log, quick=fault.how != "SIGKILL"), *fault.words()]
    done = subprocess.run([*trace, *goes_on(run, LATER)], capture_output=True, text=True)
    killed = done.returncode in KILLED
    struck = killed or "(INJECTED)" in log.read_text(errors="replace")
    if struck and not killed:
        assert done.returncode in (0, 1), f"{fault}: exit code {done.returncode}: {done.stderr}"
        assert done.returncode == 0 or "error: " in done.stderr, f"{fault}: {done.stderr}"
    _, problems = CheckpointFolder(run).read()
    assert not problems, f"{fault}: {problems}"
    framework.resume(run, {"run.steps": LATER})
    for name, content in recorded.later.items():
        assert sha256_of(run / name) == content, f"{fault}: another run came of it: {name}"
    shutil.rmtree(run.parent)
    return Injected(fault, struck, done.returncode)


def inject_all(recorded: Recorded, place: Path, hows: tuple[str, ...], every: int = 1, jobs: int = 2) -> list[Injected]:
    """Every fault, or each `every`-th of them."""
    chosen = list(faults(counted(recorded, place), hows))[::every]
    with without_figures(), ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda fault: inject(recorded, fault, place), chosen))


def _strace(log: Path, quick: bool = True) -> list[str]:
    assert STRACE is not None
    return [STRACE, "-f", "-qq", "-e", "signal=none", *(["--seccomp-bpf"] * quick), "-o", str(log)]
