"""Environments in processes give the same transitions; an environment that crashes or hangs is named in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
import psutil
import pytest

import framework
from framework.assembly.manager import PluginError
from framework.checkpoints.folder import CheckpointFolder
from framework.environments.processes import EnvironmentProcessError, EnvProcesses
from framework.errors import UsageError
from tests.framework.checkpoints.pieces import left_behind
from tests.waiting import children, gone, wait_for

MISBEHAVES = """
import os, time
import gymnasium
from framework.hooks import hookimpl

class Wrapped(gymnasium.Wrapper):
    steps = 0
    def step(self, action):
        Wrapped.steps += 1
        if Wrapped.steps == 30 and not os.path.exists({marker!r}):
            {misbehaviour}
        return super().step(action)

@hookimpl
def env_wrapper():
    return Wrapped
"""


pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.mark.parametrize("names", ["tabular,grid", "dqn,cartpole"])
def test_a_run_in_processes_is_the_run_without(names: str, tmp_path: Path) -> None:
    values = {"run.num_envs": 3, "run.steps": 240, "run.until": None, "evaluation.every": 90, "evaluation.episodes": 2}
    for processes in (False, True):
        parts = framework.assemble(names, {**values, "run.env_processes": processes})
        framework.train(parts, tmp_path / f"{processes}")
    assert left_behind(tmp_path / "True") == left_behind(tmp_path / "False")


@pytest.mark.filterwarnings("ignore:.*ERROR")  # gymnasium logs the error of an environment as a warning
@pytest.mark.parametrize(
    ("misbehaviour", "message"),
    [
        ("os._exit(5)", r"environment [01] ended its process \(exit code 5\)"),
        ("os.kill(os.getpid(), 9)", r"environment [01] ended its process \(signal 9\)"),
        ("time.sleep(600)", r"environment [01] \(process \d+\).* did not answer within 1.6 seconds"),
        ("raise ValueError('no way')", "ValueError: no way"),
    ],
)
def test_an_environment_that_fails_is_named_and_the_run_can_be_resumed(
    misbehaviour: str, message: str, tmp_path: Path
) -> None:
    plugin, marker = tmp_path / "mine.py", tmp_path / "fixed"
    plugin.write_text(MISBEHAVES.format(misbehaviour=misbehaviour, marker=str(marker)))
    values = {"run.num_envs": 2, "run.steps": 120, "run.env_processes": True, "run.watchdog": 2, "checkpoint.every": 20}
    with pytest.raises(PluginError, match=message) as caught:
        framework.train(framework.assemble(f"tabular,chain,{plugin}", values), tmp_path / "run")
    assert "raised an error in the part of make_env" in str(caught.value)
    found, problems = CheckpointFolder(tmp_path / "run").read()
    assert (found.env_steps, problems) == (40, [])
    marker.touch()
    framework.resume(tmp_path / "run")
    framework.train(framework.assemble(f"tabular,chain,{plugin}", values), tmp_path / "whole")
    assert left_behind(tmp_path / "run") == left_behind(tmp_path / "whole")


def command(plugin: Path, run: Path, *more: str) -> list[str]:
    words = [sys.executable, "-m", "framework", "run", "--plugins", f"tabular,chain,{plugin}", "--run-dir", str(run)]
    return [*words, "--num-envs", "2", "--steps", "1000000", "--set", "run.env_processes=true", *more]


def test_the_command_names_the_environment_that_hangs_before_its_watchdog_ends_it(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(MISBEHAVES.format(misbehaviour="time.sleep(600)", marker=str(tmp_path / "never")))
    words = command(plugin, tmp_path / "run", "--set", "run.watchdog=2")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "did not answer within 1.6 seconds" in done.stderr
    assert (tmp_path / "run" / "last.safetensors").exists()


def test_ctrl_c_finishes_the_step_and_saves(tmp_path: Path) -> None:
    """A terminal sends Ctrl-C to every process, also to those of the environments."""
    plugin, run = tmp_path / "mine.py", tmp_path / "run"
    plugin.write_text(MISBEHAVES.format(misbehaviour="pass", marker=str(tmp_path / "never")))
    words = command(plugin, run, "--set", "checkpoint.every=1000000")  # so the only checkpoint is the last
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_for(lambda: (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").stat().st_size)
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (130, b"")
    found, problems = CheckpointFolder(run).read()
    assert not problems
    assert (run / "curves.png").exists()
    assert found.env_steps > 0


def test_processes_end_with_the_one_that_made_them(tmp_path: Path) -> None:
    plugin, run = tmp_path / "mine.py", tmp_path / "run"
    plugin.write_text(MISBEHAVES.format(misbehaviour="pass", marker=str(tmp_path / "never")))
    with subprocess.Popen(command(plugin, run), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: (run / "metrics.jsonl").exists() and len(children(process.pid, str(run))) >= 2)
        begun = [child.pid for child in children(process.pid, str(run))]
        assert len(begun) >= 2
        process.kill()
    wait_for(lambda: gone(begun))


def cartpole() -> gymnasium.Env[np.ndarray, int]:
    return gymnasium.make("CartPole-v1")


def test_an_environment_that_dies_between_two_steps_is_named_and_the_others_are_ended() -> None:
    envs = EnvProcesses(cartpole, 2, 10)
    envs.reset(seed=[0, 1])
    envs.processes[0].kill()
    envs.processes[0].join()
    with pytest.raises(EnvironmentProcessError, match=r"environment 0 ended its process \(signal 9\)"):
        envs.reset(seed=[0, 1])
    envs.close()
    assert not any(process.is_alive() for process in envs.processes)


def never() -> gymnasium.Env[np.ndarray, int]:
    time.sleep(600)
    raise AssertionError


@pytest.mark.filterwarnings("ignore:Exception ignored")
def test_an_environment_that_is_never_made_times_out() -> None:
    calls: list[int] = []

    def factory() -> gymnasium.Env[np.ndarray, int]:
        calls.append(1)
        return never() if os.getpid() != here else cartpole()  # this process makes one, to see its spaces

    here = os.getpid()
    with pytest.raises(EnvironmentProcessError, match="an environment was not made within 2 seconds"):
        EnvProcesses(factory, 2, 2)


def test_no_process_outlives_a_refusal(tmp_path: Path) -> None:
    """The environments open; then the stream refuses their frame stack."""
    plugin = tmp_path / "many.py"
    plugin.write_text(
        "import gymnasium\n"
        "from framework.hooks import hookimpl\n"
        "def changed(env):\n"
        "    env.metadata = {'frame_stack': 1000}\n"
        "    return env\n"
        "@hookimpl\n"
        "def env_wrapper(): return changed\n"
    )
    before = psutil.Process().children(recursive=True)
    with pytest.raises(UsageError, match="frame_stack = 1000"):
        framework.assemble(f"dqn,cartpole,{plugin}", {"run.num_envs": 2, "run.env_processes": True})
    assert gone(child.pid for child in psutil.Process().children(recursive=True) if child not in before)


def test_a_video_is_taken_of_a_run_with_processes(tmp_path: Path) -> None:
    pytest.importorskip("imageio")
    values = {"run.num_envs": 2, "run.steps": 100, "run.env_processes": True}
    framework.train(framework.assemble("tabular,grid", values), tmp_path / "run")
    words = [sys.executable, "-m", "framework", "watch", str(tmp_path / "run"), "--video", str(tmp_path / "film.gif")]
    subprocess.run([*words, "--episodes", "1"], check=True, capture_output=True)
    assert (tmp_path / "film.gif").stat().st_size > 100
