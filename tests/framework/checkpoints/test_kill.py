"""kill −9 at random moments, some of them within a save: what is left always goes on, bit for bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import framework
from framework.checkpoints.folder import CheckpointFolder
from tests.framework.checkpoints.pieces import left_behind

STEPS = 2_000
VALUES = {"run.steps": STEPS, "checkpoint.every": 20, "replay.capacity": 300, "evaluation.every": 500}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole")
    framework.train(framework.assemble("tabular,grid", VALUES), run)
    return run


def killed_after(command: list[str], checkpoints: Path, seconds: float) -> bool:
    """Start a process and kill it so long after the first checkpoint; whether it was still alive then."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        while process.poll() is None and not (checkpoints / "LATEST").exists():
            time.sleep(0.005)
        time.sleep(seconds)
        alive = process.poll() is None
        if alive:
            os.kill(process.pid, signal.SIGKILL)
    finally:
        _, error = process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGKILL), error.decode()
    return alive


def survives(kills: int, whole: Path, run: Path, generator: random.Random) -> int:
    """Kill a run again and again as it is resumed, then let it end; how many of the kills hit it alive."""
    assignments = [f"--set={path}={value}" for path, value in VALUES.items()]
    begin = [sys.executable, "-m", "framework", "run", "--plugins=tabular,grid", *assignments, f"--run-dir={run}"]
    again = [sys.executable, "-m", "framework", "run", "--resume", str(run)]
    hit = 0
    for kill in range(kills):
        if not killed_after(
            again if kill else begin, run / "checkpoints", generator.uniform(0, 0.3 if not kill else 1)
        ):
            break
        hit += 1
        found, problems = CheckpointFolder(run).read()
        assert not problems
        assert found.manifest.about["counters"]["env_steps"] % 20 == 0
    else:
        framework.resume(run)
    assert left_behind(run) == left_behind(whole)
    return hit


def test_a_killed_run_goes_on_bit_for_bit(whole: Path, tmp_path: Path) -> None:
    assert survives(3, whole, tmp_path / "run", random.Random(0)) >= 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_kills(whole: Path, tmp_path: Path) -> None:
    generator, hit, run = random.Random(1), 0, 0
    while hit < 200:
        run += 1
        hit += survives(8, whole, tmp_path / f"{run}", generator)
