"""What goes wrong in a run is named, bounded in time, and leaves what was there before."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import framework
from framework.assembly.manager import PluginError
from framework.checkpoints.folder import CheckpointFolder
from framework.errors import NonFiniteLoss, UsageError
from framework.events import Callback, Episode
from framework.recording import load_state
from framework.training.watchdog import HANG_EXIT_CODE
from framework.types import Counters

RAISES = """
import time

import gymnasium
from framework.hooks import hookimpl
from framework.defaults.exploration import EpsilonGreedy
from framework.events import Callback
from framework.types import Counters

def misbehave():
    {misbehaviour}

class Odd(EpsilonGreedy):
    def choose(self, values, obs, counters):
        if counters.env_steps >= {at}:
            misbehave()
        return super().choose(values, obs, counters)

class Listener(Callback):
    def on_step(self, step, counters):
        if counters.env_steps >= {at}:
            misbehave()

class Wrapped(gymnasium.Wrapper):
    steps = 0
    def step(self, action):
        Wrapped.steps += 1
        if Wrapped.steps >= {at}:
            misbehave()
        return super().step(action)

"""
EXPLORES = """
@hookimpl
def make_exploration(seeds):
    return Odd(lambda counters: 1.0, seeds.generator("exploration"))
"""
LISTENS = """
@hookimpl
def make_callbacks():
    return [Listener()]
"""
WRAPS = """
@hookimpl
def env_wrapper():
    return Wrapped
"""


def plugin(folder: Path, hook: str, misbehaviour: str, at: int = 40) -> Path:
    path = folder / "mine.py"
    path.write_text(RAISES.format(misbehaviour=misbehaviour, at=at) + hook)
    return path


def line_of(path: Path, text: str) -> int:
    return next(number for number, line in enumerate(path.read_text().splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("hook", "slot"), [(EXPLORES, "make_exploration"), (LISTENS, "make_callbacks"), (WRAPS, "make_env")]
)
def test_a_plugin_that_raises_is_named_with_its_hook_and_its_line(hook: str, slot: str, tmp_path: Path) -> None:
    path = plugin(tmp_path, hook, "raise ValueError('no way')")
    parts = framework.assemble(f"tabular,chain,{path}", {"run.steps": 100})
    with pytest.raises(PluginError) as caught:
        framework.train(parts, tmp_path / "run")
    line = line_of(path, "no way")
    place = f"(at mine.py:{line}, in misbehave)"
    assert str(caught.value) == f"plugin 'mine' raised while {slot}'s part was at work {place}: ValueError: no way"
    assert isinstance(caught.value.__cause__, ValueError)
    assert (tmp_path / "run" / "last.safetensors").exists(), "what was learnt is kept"


def test_what_no_plugin_raised_is_raised_as_it_is() -> None:
    class Breaks(Callback):
        def on_episode(self, episode: Episode, counters: Counters) -> None:
            raise RuntimeError("my own")

    with pytest.raises(RuntimeError, match="my own"):
        framework.train(framework.assemble("tabular,chain", {"run.steps": 100}), callbacks=[Breaks()])


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


def command(path: Path, run: Path, *more: str) -> list[str]:
    words = [sys.executable, "-m", "framework", "run", "--plugins", f"tabular,chain,{path}", "--run-dir", str(run)]
    return [*words, "--steps", "100000", "--set", "checkpoint.every=10", *more]


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
        deadline = time.monotonic() + 60
        while not (tmp_path / "run" / "checkpoints" / "LATEST").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        run.send_signal(signal.SIGSTOP)
        time.sleep(4)
        run.send_signal(signal.SIGCONT)
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 130


def test_a_run_is_written_by_one_process_at_a_time(tmp_path: Path) -> None:
    path = plugin(tmp_path, EXPLORES, "time.sleep(0.01)", at=20)
    with subprocess.Popen(command(path, tmp_path / "run"), stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 60
        while not (tmp_path / "run" / "checkpoints" / "LATEST").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(UsageError, match="another process is writing to the run"):
            framework.resume(tmp_path / "run", {"run.steps": 50})
        run.kill()
    path.write_text(path.read_text().replace("time.sleep(0.01)", "time.sleep(0.0)"))
    framework.resume(tmp_path / "run", {"run.steps": 300}, force=True)


def test_two_ctrl_c_end_at_once_and_the_last_checkpoint_loads(tmp_path: Path) -> None:
    hang = "open('hung', 'w').close()\n    try: time.sleep(600)\n    finally: open('cut', 'w').close()"
    path, run = plugin(tmp_path, EXPLORES, hang), tmp_path / "run"
    with subprocess.Popen(command(path, run), stderr=subprocess.DEVNULL, cwd=tmp_path) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "hung").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None, "the first waits for the end of the step"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert (tmp_path / "cut").exists()
    found, problems = CheckpointFolder(run).read()
    assert not problems
    assert found.env_steps == 40


def test_a_report_that_cannot_be_printed_does_not_keep_it_alive(tmp_path: Path) -> None:
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
    with pytest.raises(NonFiniteLoss, match=r"could not be kept: .*No space left"):
        framework.train(parts, tmp_path / "run")
