"""A recorded run is repeated up to any step, and the first step that differs is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import framework
from framework.errors import UsageError
from framework.events import Callback, EvaluationResult
from framework.recording import load_state
from framework.recording.trace import ASPECTS, FILE, ROW, Difference, read_trace
from framework.training.repeat import Repeated, repeat
from framework.types import Counters

VALUES: dict[str, Any] = {
    "run.deterministic": True,
    "run.num_envs": 2,
    "run.steps": 1_300,
    "learning.starts": 100,
    "evaluation.every": 500,
    "evaluation.episodes": 2,
    "replay.capacity": 400,
    "checkpoint.every": 200,
}
DEEP = {**VALUES, "dqn.hidden": 8, "learning.batch_size": 8}


pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "recorded"
    framework.train(framework.assemble("dqn,per,noisy,grid", DEEP), run)
    return run


def damaged(recorded: Path, tmp_path: Path, row: int, aspect: str) -> Path:
    """A copy of the run whose trace differs in one step."""
    rows = read_trace(recorded).copy()
    rows[aspect][row] ^= 1
    run = tmp_path / "damaged"
    run.mkdir()
    for name in ("config.toml", "manifest.json"):
        (run / name).write_bytes((recorded / name).read_bytes())
    (run / FILE).write_bytes(rows.tobytes())
    return run


def test_a_trace_has_a_row_for_each_step_of_the_environments(recorded: Path) -> None:
    rows = read_trace(recorded)
    assert rows["env_steps"].tolist() == list(range(2, 1_302, 2))
    assert (rows["weights"] != 0).tolist() == [step == 1_000 for step in rows["env_steps"]]
    assert (rows["evaluation"] != 0).tolist() == [step in (502, 1_002) for step in rows["env_steps"]]
    assert (rows["learning"] != 0).sum() == 299


def test_a_run_is_repeated_to_its_end_or_to_a_moment(recorded: Path, tmp_path: Path) -> None:
    assert repeat(recorded).compared == 650
    assert repeat(recorded, 1_000, tmp_path / "then") == Repeated(500, 1_000, [])
    framework.train(framework.assemble("dqn,per,noisy,grid", {**DEEP, "run.steps": 1_000}), tmp_path / "direct")
    found = [load_state(run / "last.safetensors") for run in (tmp_path / "then", tmp_path / "direct")]
    np.testing.assert_equal(*found)


@pytest.mark.parametrize("aspect", ASPECTS)
def test_the_first_step_that_differs_is_named_with_what_differs(aspect: str, recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(Difference) as caught:
        repeat(damaged(recorded, tmp_path, 499, aspect))
    assert str(caught.value) == f"step 1,000 differs from the recorded run in {ASPECTS[aspect]}"
    repeat(tmp_path / "damaged", 998)


def test_a_plugin_that_has_changed_is_found_out_at_the_step_at_which_it_acts_otherwise(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    text = """
from framework.hooks import hookimpl
from framework.defaults.exploration import EpsilonGreedy

class Odd(EpsilonGreedy):
    def choose(self, values, obs, counters):
        found = super().choose(values, obs, counters)
        return 1 - found if counters.env_steps == 300 and {changed} else found

@hookimpl
def make_exploration(seeds):
    return Odd(lambda counters: 1.0, seeds.generator("exploration"))
"""
    plugin.write_text(text.format(changed=False))
    values = {**VALUES, "run.steps": 400, "run.num_envs": 1}
    framework.train(framework.assemble(f"tabular,chain,{plugin}", values), tmp_path / "run")
    plugin.write_text(text.format(changed=True))
    with pytest.raises(Difference, match=r"step 301 differs from the recorded run in the actions"):
        repeat(tmp_path / "run")


def test_the_trace_of_a_run_in_two_pieces_is_that_of_one(recorded: Path, tmp_path: Path) -> None:
    values = {**DEEP, "run.steps": 700}
    framework.train(framework.assemble("dqn,per,noisy,grid", values), tmp_path / "run")
    with (tmp_path / "run" / FILE).open("ab") as file:
        file.write(b"left by a kill" * 20)
    framework.resume(tmp_path / "run", {"run.steps": 1_300})
    np.testing.assert_array_equal(read_trace(tmp_path / "run"), read_trace(recorded))


def test_missing_rows_are_detected(tmp_path: Path) -> None:
    framework.train(framework.assemble("tabular,chain", {**VALUES, "run.steps": 200}), tmp_path / "run")
    (tmp_path / "run" / FILE).write_bytes((tmp_path / "run" / FILE).read_bytes()[: -ROW.itemsize])
    with pytest.raises(UsageError, match=r"trace.bin: damaged: 32 bytes that the run had written are missing"):
        framework.resume(tmp_path / "run", {"run.steps": 300})


@pytest.mark.parametrize(("to", "message"), [(0, "from 1 to 1300"), (1_301, "up to step 1,300")])
def test_a_moment_outside_of_the_run_is_refused(to: int, message: str, recorded: Path) -> None:
    with pytest.raises(UsageError, match=message):
        repeat(recorded, to)


def test_a_run_without_a_trace_is_refused(tmp_path: Path) -> None:
    framework.train(framework.assemble("tabular,chain", {"run.steps": 50}), tmp_path / "run")
    with pytest.raises(UsageError, match="record a run with --deterministic"):
        repeat(tmp_path / "run")


def test_the_commands(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    words = [sys.executable, "-m", "framework"]
    begin = [*words, "run", "--plugins", "tabular,chain", "--deterministic", "--steps", "300", "--run-dir", run]
    subprocess.run(begin, check=True, capture_output=True)
    same = subprocess.run([*words, "replay", run, "--to", "100"], check=True, capture_output=True, text=True)
    assert same.stdout.splitlines()[-1] == "the same up to step 100"
    rows = read_trace(Path(run)).copy()
    rows["actions"][49] ^= 1
    (tmp_path / "run" / FILE).write_bytes(rows.tobytes())
    other = subprocess.run([*words, "replay", run], capture_output=True, text=True)
    assert other.returncode == 1
    assert other.stderr.splitlines()[-1] == "error: step 50 differs from the recorded run in the actions"


def test_a_run_whose_evaluations_were_confirmed_is_repeated_with_them(tmp_path: Path) -> None:
    values = {**VALUES, "run.until": 9.0, "evaluation.confirm": 3, "run.steps": 900, "evaluation.every": 100}
    play = framework.assemble("tabular,grid", {**values, "run.until": -100.0})  # reached at once, and confirmed
    framework.train(play, tmp_path / "run")
    assert len(read_trace(tmp_path / "run")) == 50
    assert repeat(tmp_path / "run").compared == 50
    parts = framework.assemble("tabular,grid", {**values, "run.until": -60.0})
    framework.train(parts, tmp_path / "other")
    assert repeat(tmp_path / "other").compared == len(read_trace(tmp_path / "other"))


def test_a_moment_of_a_run_with_schedules_over_its_length_is_repeated_with_them(tmp_path: Path) -> None:
    shares = {"exploration.share": 0.5, "dqn.learning_rate_left": 0.0, "run.episodes": None}
    framework.train(framework.assemble("dqn,grid", {**DEEP, **shares, "run.steps": 600}), tmp_path / "run")
    assert repeat(tmp_path / "run", 400).env_steps == 400


def test_a_run_whose_confirmations_failed_is_repeated_with_them(tmp_path: Path) -> None:
    values = {**VALUES, "run.num_envs": 1, "run.steps": 400, "evaluation.every": 100, "evaluation.episodes": 1}
    lucky = {"run.until": 0.9, "evaluation.confirm": 30, "evaluation.epsilon": 0.9}

    class Confirmations(Callback):
        refuted = 0

        def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
            self.refuted += result.confirmed is False

    spy = Confirmations()
    framework.train(framework.assemble("tabular,grid", {**values, **lucky}), tmp_path / "run", callbacks=[spy])
    assert spy.refuted
    assert repeat(tmp_path / "run").compared == 400


def test_a_run_that_lost_its_patience_later_is_repeated_whole(tmp_path: Path) -> None:
    values = {**VALUES, "run.steps": None, "evaluation.every": 100, "run.patience": 1, "tabular.learning_rate": 1e-9}
    ended = framework.train(framework.assemble("tabular,grid", values), tmp_path / "run")
    assert ended.reason.startswith("no improvement")
    further = ended.counters.env_steps + 200
    framework.resume(tmp_path / "run", {"run.steps": further})
    assert repeat(tmp_path / "run").env_steps == further


def test_a_difference_is_reported_with_what_has_changed_since(recorded: Path, tmp_path: Path) -> None:
    run = damaged(recorded, tmp_path, 5, "actions")
    manifest = (run / "manifest.json").read_text()
    (run / "manifest.json").write_text(manifest.replace('"numpy": "', '"numpy": "0.'))
    with pytest.raises(
        Difference, match=r"(?s)step 12 differs .* in the actions\nchanged  versions.numpy: \"0\..* then"
    ):
        repeat(run)


def test_a_run_that_the_clock_ended_is_repeated_whole(tmp_path: Path) -> None:
    parts = framework.assemble("tabular,chain", {"run.hours": 0.00003, "run.steps": 10**8, "run.deterministic": True})
    ended = framework.train(parts, tmp_path / "run")
    assert ended.out_of_time
    framework.resume(tmp_path / "run", {"run.steps": ended.counters.env_steps + 3_000, "run.hours": None})
    assert repeat(tmp_path / "run").env_steps == ended.counters.env_steps + 3_000
