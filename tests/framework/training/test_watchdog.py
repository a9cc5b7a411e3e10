"""A run that hangs is ended, names the plugin, and can be resumed."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

import framework
from framework.checkpoints.folder import CheckpointFolder
from framework.training.watchdog import HANG_EXIT_CODE
from tests.framework.training.misbehaving import EXPLORES, LISTENS, WRAPS, command, line_of, plugin
from tests.waiting import wait_for


@pytest.mark.parametrize(
    ("hook", "slot"), [(EXPLORES, "make_exploration"), (LISTENS, "make_callbacks"), (WRAPS, "make_env")]
)
def test_a_run_that_hangs_is_ended_and_goes_on_from_its_last_checkpoint(hook: str, slot: str, tmp_path: Path) -> None:
    path, run = plugin(tmp_path, hook, "time.sleep(600)"), tmp_path / "run"
    done = subprocess.run(command(path, run, "--set", "run.watchdog=2"), capture_output=True, text=True, timeout=60)
    assert done.returncode == HANG_EXIT_CODE
    said = " ".join(line.removeprefix("error: ") for line in done.stderr.splitlines())
    line = line_of(path, "time.sleep")
    assert "no step for 2 seconds (run.watchdog)" in said
    assert f"the run hangs in plugin 'mine', {slot}, at mine.py:{line}, in misbehave" in said
    assert f"--resume {run}" in said
    assert "misbehave" in (run / "hang.txt").read_text()
    path.write_text(path.read_text().replace("time.sleep(600)", "time.sleep(0.0)"))
    framework.resume(run, {"run.steps": 60}, force=True)
    assert CheckpointFolder(run).read()[0].env_steps == 60


def test_a_process_that_was_stopped_for_a_while_does_not_hang(tmp_path: Path) -> None:
    path = plugin(tmp_path, EXPLORES, "time.sleep(0.01)", at=0)
    with subprocess.Popen(command(path, tmp_path / "run", "--set", "run.watchdog=2"), stderr=subprocess.PIPE) as run:
        wait_for((tmp_path / "run" / "checkpoints" / "LATEST").exists)
        run.send_signal(signal.SIGSTOP)
        time.sleep(4)
        run.send_signal(signal.SIGCONT)
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130


def test_a_hung_run_ends_even_if_its_report_cannot_be_printed(tmp_path: Path) -> None:
    path = plugin(tmp_path, EXPLORES, "time.sleep(600)")
    with Path("/dev/full").open("w") as full:
        words = command(path, tmp_path / "run", "--set", "run.watchdog=1")
        done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=full, timeout=60)
    assert done.returncode == HANG_EXIT_CODE


def test_what_takes_long_at_the_end_is_no_hang(tmp_path: Path) -> None:
    slow = (
        LISTENS.replace("Listener()", "Slow()")
        + """
class Slow(Callback):
    def on_end(self, counters):
        time.sleep(3)
"""
    )
    path = plugin(tmp_path, slow, "pass")
    words = command(path, tmp_path / "run", "--set", "run.watchdog=1")
    words[words.index("100000")] = "50"
    assert subprocess.run(words, capture_output=True, timeout=60).returncode == 0
