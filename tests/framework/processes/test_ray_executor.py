"""Jobs and studies on Ray: real clusters on this machine, whose processes and machines are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import psutil
import pytest

import framework
from framework.processes.executor import LOST
from framework.processes.jobs import run_jobs
from framework.processes.ray_executor import RayExecutor
from framework.study.continuing import MOST_LOSSES
from tests.framework.checkpoints.pieces import left_behind
from tests.waiting import alive, wait_for

pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray's own
]


@dataclass(frozen=True)
class Script:
    """A job that is a few lines of Python, in a process that ends with its parent."""

    code: str
    folder: Path
    threads: int = 1
    memory: int = 0

    @property
    def output(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.txt")

    @property
    def command(self) -> Sequence[str]:
        lifeline = (
            "import os\nfrom framework.processes.lifeline import end_with_parent\nend_with_parent(lambda: os._exit(5))"
        )
        return ["python", "-c", f"{lifeline}\n{self.code}", str(self.folder)]


@dataclass
class Spy:
    """Records how jobs end, and starts those again that are lost."""

    codes: list[int] = field(default_factory=list)
    at_tick: Callable[[], None] = lambda: None

    def ended(self, job: Script, code: int, interrupted: bool) -> bool:
        self.codes.append(code)
        return code == LOST

    def interrupted(self) -> None: ...

    def tick(self, running: Sequence[Script]) -> None:
        self.at_tick()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster with two cores at its head."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    yield made
    made.shutdown()


def test_output_exit_codes_threads_and_a_job_without_a_place(cluster: Any, tmp_path: Path) -> None:
    says = "import os, sys; print(os.environ['OMP_NUM_THREADS'], os.getcwd()); sys.exit(3)"
    scripts = [
        Script(says, tmp_path / "new" / "1"),
        Script("import os; os.abort()", tmp_path / "2"),
        Script("pass", tmp_path / "3", threads=64),  # more than any machine has: it gets a whole one
    ]
    spy = Spy()
    with RayExecutor(cluster.address) as executor:
        assert executor.cores == 2
        assert not run_jobs(scripts, 3, spy, executor)
    assert sorted(spy.codes) == [-signal.SIGABRT, 0, 3]
    assert scripts[0].output.read_text() == f"1 {os.getcwd()}\n"
    assert {path.name for path in tmp_path.iterdir()} == {"new", "2.txt", "3.txt"}, "no token is left"


def test_a_killed_worker_costs_its_job_alone_and_leaves_no_process(cluster: Any, tmp_path: Path) -> None:
    code = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir(exist_ok=True)
attempt = len(list(folder.iterdir()))
(folder / f"{os.getpid()} {os.getppid()}").touch()
time.sleep(0 if attempt else 600)
"""
    scripts = [Script(code, tmp_path / "1"), Script("import time; time.sleep(3)", tmp_path / "2")]
    killed = list[int]()

    def kill_once() -> None:
        for path in (tmp_path / "1").glob("*") if not killed else ():
            pid, worker = map(int, path.name.split())
            killed.append(pid)
            os.kill(worker, signal.SIGKILL)

    spy = Spy(at_tick=kill_once)
    with RayExecutor(cluster.address) as executor:
        assert not run_jobs(scripts, 2, spy, executor)
    assert sorted(spy.codes) == [LOST, 0, 0]
    wait_for(lambda: not alive(killed[0]), 120)
    assert len(list((tmp_path / "1").iterdir())) == 2


def test_the_first_ctrl_c_is_passed_on_the_second_kills_and_what_waits_never_starts(
    cluster: Any, tmp_path: Path
) -> None:
    code = """
import pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
signal.signal(signal.SIGINT, lambda *_: (folder / "told").touch())
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # as framework.cli.child does
(folder / "ready").touch()
while True:
    time.sleep(1)
"""
    scripts = [Script(code, tmp_path / name, threads=2) for name in "ab"]
    pressed = list[str]()

    def press() -> None:
        for sign in ("ready", "told"):
            if sign not in pressed and list(tmp_path.glob(f"*/{sign}")):
                pressed.append(sign)
                os.kill(os.getpid(), signal.SIGINT)

    spy = Spy(at_tick=press)
    with RayExecutor(cluster.address) as executor:
        assert run_jobs(scripts, 2, spy, executor)
    assert sorted(spy.codes) == [-signal.SIGKILL, -signal.SIGINT]
    assert len(list(tmp_path.glob("*/ready"))) == 1


SLOW = """
'''Makes every step slow until there is a file 'go'.'''
import pathlib, time
import gymnasium
from framework.hooks import hookimpl
class Slow(gymnasium.Wrapper):
    def step(self, action):
        if not pathlib.Path({go!r}).exists():
            time.sleep(0.05)
        return super().step(action)
@hookimpl
def env_wrapper(config, role):
    return Slow if role == "train" else lambda env: env
"""


class StudyProcess:
    """The command `run --seeds 2` in a process, for one composition."""

    def __init__(self, place: Path, on: str, run_dir: str = "s") -> None:
        self.place, self.go = place, place / "go"
        (place / "slow.py").write_text(SLOW.format(go=str(self.go)))
        self.words = [
            *(sys.executable, "-m", "framework", "run", "-p", "tabular,nstep,chain,./slow.py", "--steps", "400"),
            *("--eval-every", "100", "--set", "checkpoint.every=40", "--seeds", "2", "--run-dir", run_dir, "--on", on),
        ]
        self.runs = [place / run_dir / "tabular-nstep-chain-slow" / f"seed-{seed}" for seed in (0, 1)]
        self.output = place / "out.txt"
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as out:
            process = subprocess.Popen(self.words, cwd=self.place, stdout=out, stderr=subprocess.STDOUT)
        self.started.append(process)
        return process

    def end(self) -> None:
        for process in self.started:
            process.kill()
            process.wait()

    def wait_for_checkpoints(self, process: subprocess.Popen[bytes]) -> None:
        wait_for(
            lambda: process.poll() is not None or all((run / "checkpoints" / "LATEST").exists() for run in self.runs),
            120,
        )
        assert process.poll() is None, self.output.read_text()

    def finish(self, process: subprocess.Popen[bytes], code: int = 0) -> str:
        assert process.wait(300) == code, self.output.read_text()
        return self.output.read_text()

    def assert_results_are_those_of_runs_without_a_stop(self) -> None:
        for seed, run in enumerate(self.runs):
            whole = self.place / f"whole-{seed}"
            values = {"run.steps": 400, "evaluation.every": 100, "run.seed": seed}
            framework.train(framework.assemble("tabular,nstep,chain", values), whole)
            assert left_behind(run) == left_behind(whole)
            assert (run / "result.json").exists()


Studies: TypeAlias = Callable[..., StudyProcess]


@pytest.fixture
def study_on(tmp_path: Path) -> Iterator[Studies]:
    """Makes a study on an executor. Whatever the test finds, its processes end."""
    made = list[StudyProcess]()

    def make(on: str, run_dir: str = "s") -> StudyProcess:
        made.append(StudyProcess(tmp_path, on, run_dir))
        return made[-1]

    yield make
    for study in made:
        study.end()


def processes_of(place: Path) -> list[psutil.Process]:
    """The runs of a place, wherever their parents are."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "framework.cli.child" in words and any(str(place) in word for word in words):
            found.append(process)
    return found


def test_a_study_on_a_ray_of_this_machine_is_interrupted_goes_on_and_leaves_no_process(
    tmp_path: Path, study_on: Studies
) -> None:
    study = study_on("ray")
    process = study.start()
    study.wait_for_checkpoints(process)
    begun = psutil.Process(process.pid).children(recursive=True)
    assert any("raylet" in child.name() for child in begun)
    process.send_signal(signal.SIGINT)
    assert "interrupted: 0 of 2 runs are complete" in study.finish(process, 130)
    assert all("interrupted after" in run.with_name(f"{run.name}.output.txt").read_text() for run in study.runs)
    _, left = psutil.wait_procs(begun, timeout=30)
    assert not left
    study.go.touch()
    assert study.finish(study.start()).count("goes on from its checkpoint") == 2
    study.assert_results_are_those_of_runs_without_a_stop()
    assert not processes_of(tmp_path)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_study_on_ray_that_is_killed_leaves_no_process_and_goes_on(
    how: signal.Signals, cluster: Any, tmp_path: Path, study_on: Studies
) -> None:
    study = study_on(cluster.address)
    process = study.start()
    study.wait_for_checkpoints(process)
    assert len(processes_of(tmp_path)) == 2
    process.send_signal(how)
    assert process.wait(60) == (-how if how == signal.SIGKILL else 128 + how)
    wait_for(lambda: not processes_of(tmp_path), 120)
    study.go.touch()
    assert study.finish(study.start()).count("goes on from its checkpoint") == 2
    study.assert_results_are_those_of_runs_without_a_stop()


def test_a_lost_node_costs_only_its_unfinished_runs_which_go_on_elsewhere(tmp_path: Path, study_on: Studies) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        cluster.wait_for_nodes()
        study = study_on(cluster.address)
        process = study.start()
        study.wait_for_checkpoints(process)
        raylet = nodes[1].all_processes["raylet"][0].process.pid
        of_the_node = [run for run in processes_of(tmp_path) if raylet in {parent.pid for parent in run.parents()}]
        assert len(of_the_node) == 1
        cluster.remove_node(nodes[1], allow_graceful=False)
        worker = of_the_node[0].parent()
        assert worker is not None
        for lost in (worker, of_the_node[0]):  # a machine takes its processes with it
            lost.kill()
        wait_for(lambda: "lost with its machine" in study.output.read_text(), 120)
        study.go.touch()
        said = study.finish(process)
        # Ray may need longer to notice which machine is gone
        losses = said.count("lost with its machine")
        assert said.count("goes on from its checkpoint") == losses <= MOST_LOSSES
        assert "seed 1 | lost" not in said or "seed 0 | lost" not in said, "the other run has lost nothing"
        study.assert_results_are_those_of_runs_without_a_stop()
    finally:
        cluster.shutdown()


def can_hide_a_folder() -> bool:
    """Whether a process may have a file system of its own in the place of a folder."""
    done = subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.skipif(not can_hide_a_folder(), reason="needs the right to mount a file system")
def test_a_machine_that_does_not_see_the_folder_works_elsewhere_and_sends_its_files(
    tmp_path: Path, study_on: Studies
) -> None:
    """The machine has one core, so one run waits for a place when Ctrl-C is pressed."""
    from ray.cluster_utils import Cluster

    (hidden := tmp_path / "hidden").mkdir()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    ray = Path(sys.executable).with_name("ray")
    start = [sys.executable, "-m", "ray.scripts.scripts"] if not ray.exists() else [str(ray)]
    words = [*start, "start", f"--address={cluster.address}", "--num-cpus=1", "--block"]
    mounted = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none {hidden} && exec "$@"', "sh", *words]
    machine = subprocess.Popen(mounted, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        study = study_on(cluster.address, "hidden/s")
        process = study.start()
        wait_for(lambda: process.poll() is not None or scratch_checkpoints(), 120)
        process.send_signal(signal.SIGINT)
        assert study.finish(process, 130).count("| interrupted") == 2
        (begun,) = [run for run in study.runs if run.exists()]
        output = begun.with_name(f"{begun.name}.output.txt")
        assert (begun / "checkpoints" / "LATEST").exists()
        assert "interrupted after" in output.read_text()
        assert not scratch_checkpoints(), "the machine keeps nothing"
        study.go.touch()
        assert study.finish(study.start()).count("goes on from its checkpoint") == 1
        assert "resumed  after" in output.read_text()
        study.assert_results_are_those_of_runs_without_a_stop()
    finally:
        machine.terminate()
        machine.wait(60)
        cluster.shutdown()


def scratch_checkpoints() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("pluggable-q-*/run/checkpoints/LATEST"))
