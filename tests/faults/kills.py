"""kill −9 at random moments, some of them during a save: the run can always be resumed, bit for bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import framework
from framework.checkpoints.folder import CheckpointFolder
from tests.framework.checkpoints.pieces import left_behind

EVERY = 20
VALUES: Mapping[str, Any] = {
    "run.steps": 2_000,
    "checkpoint.every": EVERY,
    "replay.capacity": 300,
    "evaluation.every": 500,
}


def whole_run(folder: Path) -> Path:
    """Train a run that is never killed."""
    framework.train(framework.assemble("tabular,grid", VALUES), folder)
    return folder


def survives(kills: int, whole: Path, run: Path, generator: random.Random) -> int:
    """Kill a run several times, and resume it each time; then let it end. Returns how many kills hit it alive.

    Raises:
        AssertionError: if a checkpoint is not whole, or if the run ends otherwise than the run without kills.
    """
    assignments = [f"--set={path}={value}" for path, value in VALUES.items()]
    begin = [sys.executable, "-m", "framework", "run", "--plugins=tabular,grid", *assignments, f"--run-dir={run}"]
    again = [sys.executable, "-m", "framework", "run", "--resume", str(run)]
    hit = 0
    for kill in range(kills):
        seconds = generator.uniform(0, 1 if kill else 0.3)
        if not _killed_after(again if kill else begin, run / "checkpoints", seconds):
            break
        hit += 1
        found, problems = CheckpointFolder(run).read()
        assert not problems
        assert found.env_steps % EVERY == 0
    else:
        framework.resume(run)
    assert left_behind(run) == left_behind(whole)
    return hit


def survive(kills: int, place: Path, seed: int) -> tuple[int, int]:
    """Kill runs at least `kills` times. Returns (kills, runs)."""
    whole, generator = whole_run(place / "whole"), random.Random(seed)
    hit = runs = 0
    while hit < kills:
        runs += 1
        hit += survives(8, whole, place / f"{runs}", generator)
    return hit, runs


def _killed_after(command: list[str], checkpoints: Path, seconds: float) -> bool:
    """Start a process, and kill it `seconds` after its first checkpoint. Returns whether it was still alive."""
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
