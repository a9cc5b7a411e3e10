"""Environments in processes of their own give the same transitions; one that crashes or hangs is named, in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import framework
from framework.checkpoints.folder import CheckpointFolder
from framework.manager import PluginError
from tests.framework.checkpoints.pieces import left_behind

MISBEHAVES = """
import os, time
import gymnasium
from framework.hookspecs import hookimpl

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


@pytest.fixture(autouse=True, scope="module")
def _no_figures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("framework.recording.figures.draw_figures", lambda folder: [])
        yield


@pytest.mark.parametrize("names", ["tabular,grid", "dqn,cartpole"])
def test_a_run_in_processes_is_the_run_without(names: str, tmp_path: Path) -> None:
    values = {"run.num_envs": 3, "run.steps": 240, "run.until": None, "evaluation.every": 90, "evaluation.episodes": 2}
    for processes in (False, True):
        parts = framework.assemble(names, {**values, "run.env_processes": processes})
        framework.train(parts, tmp_path / f"{processes}")
    assert left_behind(tmp_path / "True") == left_behind(tmp_path / "False")


@pytest.mark.filterwarnings("ignore:.*ERROR")  # gymnasium logs what an environment raised as a warning
@pytest.mark.parametrize(
    ("misbehaviour", "message"),
    [
        ("os._exit(5)", r"environment [01] ended its process \(exit code 5\)"),
        ("os.kill(os.getpid(), 9)", r"environment [01] ended its process \(signal 9\)"),
        ("time.sleep(600)", r"environment [01] \(process \d+\).* did not answer within 2 seconds"),
        ("raise ValueError('no way')", "ValueError: no way"),
    ],
)
def test_what_becomes_of_an_environment_is_told_and_the_run_goes_on_later(
    misbehaviour: str, message: str, tmp_path: Path
) -> None:
    plugin, marker = tmp_path / "mine.py", tmp_path / "mended"
    plugin.write_text(MISBEHAVES.format(misbehaviour=misbehaviour, marker=str(marker)))
    values = {"run.num_envs": 2, "run.steps": 120, "run.env_processes": True, "run.watchdog": 2, "checkpoint.every": 20}
    began = time.monotonic()
    with pytest.raises(PluginError, match=message) as caught:
        framework.train(framework.assemble(f"tabular,chain,{plugin}", values), tmp_path / "run")
    assert time.monotonic() - began < 30
    assert "raised while make_env's part was at work" in str(caught.value)
    found, problems = CheckpointFolder(tmp_path / "run").read()
    assert (found.env_steps, problems) == (40, [])
    marker.touch()
    framework.resume(tmp_path / "run")
    framework.train(framework.assemble(f"tabular,chain,{plugin}", values), tmp_path / "whole")
    assert left_behind(tmp_path / "run") == left_behind(tmp_path / "whole")
