"""How a run ends: losses that are not finite, Ctrl-C, and a folder that is in use."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import framework
from framework.assembly.assemble import assemble
from framework.checkpoints.folder import CheckpointFolder
from framework.errors import NonFiniteLoss, UsageError
from framework.recording import load_state
from framework.training.run import train
from framework.types import Counters
from tests.framework.training.misbehaving import EXPLORES, command, plugin
from tests.waiting import wait_for


def test_the_batch_of_a_loss_that_is_not_finite_is_kept(tmp_path: Path) -> None:
    values = {"run.steps": 400, "learning.starts": 10, "checkpoint.every": 50, "learning.batch_size": 8}
    parts = framework.assemble("dqn,chain", values)
    sample = parts.buffer.sample

    def poisoned(n: int, counters: Counters):  # type: ignore[no-untyped-def]
        batch = sample(n, counters)
        if counters.updates == 30:
            batch.reward[3] = np.inf
        return batch

    parts.buffer.sample = poisoned
    with pytest.raises(NonFiniteLoss, match=r"The batch is in .*/non_finite.safetensors") as caught:
        framework.train(parts, tmp_path / "run")
    kept = load_state(tmp_path / "run" / "non_finite.safetensors")
    assert kept["ids"][3] == caught.value.ids[0]
    assert np.isinf(kept["reward"]).tolist() == [row == 3 for row in range(8)]
    assert set(kept) >= {"obs", "action", "discount", "next_obs", "weights", "loss", "priority"}
    assert CheckpointFolder(tmp_path / "run").read()[0].env_steps in (100, 150)


def test_a_run_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    path = plugin(tmp_path, EXPLORES, "time.sleep(0.01)", at=20)
    with subprocess.Popen(command(path, tmp_path / "run"), stderr=subprocess.DEVNULL) as run:
        wait_for((tmp_path / "run" / "checkpoints" / "LATEST").exists)
        with pytest.raises(UsageError, match="another process is writing to the run"):
            framework.resume(tmp_path / "run", {"run.steps": 50})
        run.kill()
    path.write_text(path.read_text().replace("time.sleep(0.01)", "time.sleep(0.0)"))
    framework.resume(tmp_path / "run", {"run.steps": 300}, force=True)


def test_two_ctrl_c_end_at_once_and_the_last_checkpoint_loads(tmp_path: Path) -> None:
    hang = "open('hung', 'w').close()\n    try: time.sleep(600)\n    finally: open('cut', 'w').close()"
    path, run = plugin(tmp_path, EXPLORES, hang), tmp_path / "run"
    with subprocess.Popen(command(path, run), stderr=subprocess.DEVNULL, cwd=tmp_path) as process:
        wait_for((tmp_path / "hung").exists)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None, "the first waits for the end of the step"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert (tmp_path / "cut").exists()
    found, problems = CheckpointFolder(run).read()
    assert not problems
    assert found.env_steps == 40


def test_a_batch_that_cannot_be_kept_does_not_hide_what_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, state: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("framework.training.run.save_state", refuse)
    parts = framework.assemble("dqn,chain", {"run.steps": 400, "learning.starts": 10, "checkpoint.every": 0})
    sample = parts.buffer.sample

    def poisoned(n: int, counters: Counters):  # type: ignore[no-untyped-def]
        batch = sample(n, counters)
        batch.reward[0] = np.nan
        return batch

    parts.buffer.sample = poisoned
    with pytest.raises(NonFiniteLoss, match=r"could not be saved: .*No space left"):
        framework.train(parts, tmp_path / "run")


def test_parts_are_trained_once() -> None:
    parts = assemble("tabular,chain", {"run.steps": 5})
    train(parts)
    with pytest.raises(UsageError, match="trained already"):
        train(parts)


def test_a_run_without_an_end_is_refused() -> None:
    parts = framework.assemble("tabular,chain", {"run.seed": 1})
    object.__setattr__(parts.config, "_sections", {**parts.config._sections})
    from framework.options import RunOptions

    parts.config._sections[RunOptions] = RunOptions()
    with pytest.raises(framework.UsageError, match="the run has no end"):
        framework.train(parts)
