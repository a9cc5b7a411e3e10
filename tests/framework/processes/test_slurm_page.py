"""The executor for Slurm on the page about clusters, with commands in the place of Slurm's that run real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from framework.errors import UsageError
from framework.study import Arm, read_study, run_study
from tests.pages import DOCS, blocks_of
from tests.waiting import wait_for

STAND_IN = """#!{python}
'''sbatch, squeue and scancel on this machine: a task is a session of processes, and is gone when its first one is.'''
import os, pathlib, signal, subprocess, sys
state, words = pathlib.Path({state!r}), sys.argv[1:]
def alive(file):
    try:
        return pathlib.Path("/proc", file.read_text(), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
def option(name):
    return next((word.partition("=")[2] for word in words if word.startswith(f"--{{name}}=")), None)
command = pathlib.Path(sys.argv[0]).name
if command == "sbatch":
    assert option("cpus-per-task") == "1" and option("mem").endswith("M")
    first, last = map(int, option("array").split("-"))
    array = str(1 + len(list(state.glob("*_0"))))
    for number in range(first, last + 1):
        task = subprocess.Popen(
            ["sh", words[-1]],
            env={{**os.environ, "SLURM_ARRAY_TASK_ID": str(number)}},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        (state / f"{{array}}_{{number}}").write_text(str(task.pid))
    print(f"{{array}};here")
elif command == "squeue":
    for array in option("jobs").split(","):
        for file in state.glob(f"{{array}}_*"):
            if alive(file):
                print(file.name)
elif command == "scancel" and option("state") is None:
    file = state / words[-1]
    if alive(file):
        os.killpg(int(file.read_text()), getattr(signal, "SIG" + option("signal")))
"""

SLOW = """
import pathlib, time
import gymnasium
from framework.hooks import hookimpl
class Slow(gymnasium.Wrapper):
    def step(self, action):
        if not pathlib.Path("go").exists():
            time.sleep(0.05)
        return super().step(action)
@hookimpl
def env_wrapper(config, role):
    return Slow if role == "train" else lambda env: env
"""


class Cluster:
    """A folder with the module of the page, and stand-ins for Slurm's commands on the path."""

    def __init__(self, place: Path) -> None:
        self.place, self.state = place, place / "state"
        page = (DOCS / "how-to" / "cluster.md").read_text(encoding="utf-8")
        (module,) = [block for block in blocks_of(page) if block.file == "slurm.py"]
        (place / "slurm.py").write_text(module.text.replace("PERIOD = 5.0", "PERIOD = 0.5"))
        (place / "slow.py").write_text(SLOW)
        (place / "bin").mkdir()
        self.state.mkdir()
        for name in ("sbatch", "squeue", "scancel"):
            command = place / "bin" / name
            command.write_text(STAND_IN.format(python=sys.executable, state=str(self.state)))
            command.chmod(0o755)
        self.words = [
            *(sys.executable, "-m", "framework", "run", "-p", "tabular,chain,./slow.py", "--steps", "400"),
            *("--set", "checkpoint.every=40", "--seeds", "2", "--run-dir", "s", "--on", "slurm:Slurm"),
        ]
        self.runs = [place / "s" / "tabular-chain-slow" / f"seed-{seed}" for seed in (0, 1)]

    def start(self) -> subprocess.Popen[str]:
        path = f"{self.place / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(
            self.words, cwd=self.place, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE, text=True
        )

    def wait_for_checkpoints(self, process: subprocess.Popen[str]) -> None:
        files = [run / "checkpoints" / "LATEST" for run in self.runs]
        wait_for(lambda: process.poll() is not None or all(file.exists() for file in files), 120)
        assert process.poll() is None

    def pid(self, task: str) -> int:
        return int((self.state / task).read_text())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_executor_of_the_page_interrupts_loses_a_task_goes_on_and_leaves_nothing(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    process = cluster.start()
    cluster.wait_for_checkpoints(process)
    os.killpg(cluster.pid("1_0"), signal.SIGKILL)  # its machine is lost, and the exit code with it
    wait_for(lambda: (cluster.state / "2_0").exists(), 120)
    wait_for(lambda: "resumed  after" in cluster.runs[0].with_name("seed-0.output.txt").read_text(), 120)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "lost with its machine" in out
    assert all("interrupted after" in run.with_name(f"{run.name}.output.txt").read_text() for run in cluster.runs)
    (tmp_path / "go").touch()
    process = cluster.start()
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    assert out.count("goes on from its checkpoint") == 2
    assert [run.steps for run in read_study(tmp_path / "s")] == [400, 400]
    assert not list((tmp_path / ".slurm").iterdir())
    wait_for(lambda: not any(Path("/proc", file.read_text()).exists() for file in cluster.state.iterdir()), 120)


def test_without_slurm_the_executor_refuses_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cluster(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "slurm", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="there is no command sbatch"):
        run_study([Arm("one", "tabular,chain")], [0], tmp_path / "s", on="slurm:Slurm")
    assert not (tmp_path / "s").exists()
    assert not (tmp_path / ".slurm").exists()
