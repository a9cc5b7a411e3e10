"""`run --resume`: what it refuses, what it prints, and which checkpoint it falls back to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import framework
from framework.checkpoints.folder import CheckpointFolder
from framework.cli import main as entry
from framework.recording import read_rows
from tests.framework.checkpoints.pieces import left_behind

VALUES = {"run.steps": 60, "checkpoint.every": 25, "replay.capacity": 100, "learning.starts": 10}

PLUGIN = """
from framework.hooks import hookimpl
from envs import chain

@hookimpl
def make_env(config, role):
    return chain.make_env(config, role)

@hookimpl
def config_sections():
    return chain.config_sections()
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("template")
    framework.train(framework.assemble("tabular,chain", VALUES), run)
    return run


@pytest.fixture
def run(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "run"))


def typed(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["framework", "run", *arguments])
    code = 0
    try:
        entry.main()
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_run_goes_on_with_a_later_end(run: Path, monkeypatch: Any, capsys: Any) -> None:
    code, out, err = typed(["--resume", str(run), "--steps", "90"], monkeypatch, capsys)
    assert (code, err) == (0, "")
    assert "resumed  after 60 steps, from" in out
    assert "finished after 90 steps" in out
    code, out, _ = typed(["--resume", str(run), "--episodes", "80"], monkeypatch, capsys)
    assert code == 0
    assert "80 episodes" in out


def test_the_end_of_a_run_that_has_ended_is_repeated(run: Path, monkeypatch: Any, capsys: Any) -> None:
    """A kill may come after the last checkpoint and before the last weights and the figures."""
    before = left_behind(run)
    (run / "last.safetensors").unlink()
    code, out, _ = typed(["--resume", str(run)], monkeypatch, capsys)
    assert code == 0
    assert "finished after 60 steps" in out
    assert "had already reached its end: set a later one with --steps" in out
    assert left_behind(run) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seed", "4"], "options.run.seed: 0 then, 4 now"),
        (["--set", "tabular.learning_rate=0.5"], "options.tabular.learning_rate: 1.0 then, 0.5 now"),
        (["--eval-every", "10"], "options.evaluation.every: 0 then, 10 now"),
        (["--plugins", "tabular,nstep,chain"], "slots.make_returns"),
        (["--plugins", "dqn,chain"], "options.tabular.learning_rate: 1.0 then, (absent) now"),
        (["--num-envs", "2"], "options.run.num_envs: 1 then, 2 now"),
    ],
)
def test_a_change_is_refused_with_what_differs(
    run: Path, arguments: list[str], said: str, monkeypatch: Any, capsys: Any
) -> None:
    code, out, err = typed(["--resume", str(run), "--steps", "90", *arguments], monkeypatch, capsys)
    assert (code, out) == (2, "")
    assert said in err
    assert "--force" in err


def test_force_says_what_differs_and_goes_on(run: Path, monkeypatch: Any, capsys: Any) -> None:
    arguments = ["--resume", str(run), "--steps", "90", "--set", "tabular.learning_rate=0.5", "--force"]
    code, out, _ = typed(arguments, monkeypatch, capsys)
    assert code == 0
    assert "changed  options.tabular.learning_rate: 1.0 then, 0.5 now" in out
    # from now on this is the run's own value
    assert typed(["--resume", str(run), "--steps", "120"], monkeypatch, capsys)[0] == 0


def test_forced_parts_that_do_not_fit_are_named(run: Path) -> None:
    with pytest.raises(framework.FrameworkError, match=r"000003: the state of 'policy' does not fit|000003, policy"):
        framework.resume(run, {"run.steps": 90, "chain.length": 7}, force=True)


def test_other_versions_are_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framework.training.run_folder.versions", lambda plugins: {"numpy": "0.1"})
    with pytest.raises(framework.UsageError, match=r"versions.numpy: .* then, \"0.1\" now"):
        framework.resume(run, {"run.steps": 90})


def test_a_plugin_whose_source_has_changed_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "mine.py"
    source.write_text(PLUGIN)
    framework.train(framework.assemble(f"tabular,{source}", VALUES), tmp_path / "run")
    framework.resume(tmp_path / "run", {"run.steps": 70})
    source.write_text(f"{PLUGIN}\n# another\n")
    with pytest.raises(framework.UsageError, match=r"sources.mine: \"sha256 .*"):
        framework.resume(tmp_path / "run", {"run.steps": 80})


def test_options_that_do_not_go_together(run: Path, monkeypatch: Any, capsys: Any) -> None:
    for arguments, said in (
        (["--force", "--plugins", "tabular,chain"], "--force is for a run that continues"),
        (["--resume", str(run), "--seeds", "3"], "remove --seeds and --run-dir"),
        (["--resume", str(run), "--run-dir", "x"], "remove --seeds and --run-dir"),
        (["--resume", str(run / "nowhere")], "has no checkpoint to continue from"),
    ):
        code, _, err = typed(arguments, monkeypatch, capsys)
        assert code == 2
        assert said in err


def test_a_damaged_checkpoint_is_named_and_the_one_before_goes_on(run: Path, monkeypatch: Any, capsys: Any) -> None:
    state = run / "checkpoints" / "000003" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-1] + b"!")
    code, out, _ = typed(["--resume", str(run)], monkeypatch, capsys)
    assert code == 0
    assert f"{state}: damaged: its SHA-256" in out
    assert "continuing from" in out
    assert "resumed  after 50 steps" in out
    assert not CheckpointFolder(run).read()[1]


def test_missing_metrics_are_detected(run: Path) -> None:
    rows = (run / "metrics.jsonl").read_bytes()
    (run / "metrics.jsonl").write_bytes(rows[: len(rows) // 2])
    with pytest.raises(framework.FrameworkError, match=r"metrics.jsonl: damaged: \d+ bytes that the run"):
        framework.resume(run, {"run.steps": 90})


@pytest.mark.parametrize("name", ["metrics.jsonl", "checkpoints/000003/state.safetensors"])
def test_a_damaged_run_that_is_refused_stays_as_it_is(name: str, run: Path) -> None:
    shutil.rmtree(run / "checkpoints" / "000002")
    (run / name).write_bytes((run / name).read_bytes()[:100])

    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}

    before = content()
    with pytest.raises(framework.UsageError, match="damaged"):
        framework.resume(run, {"run.steps": 90})
    assert content() == before


def test_what_was_written_after_the_checkpoint_is_written_again(run: Path) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "episode", "episode": 999}\n')
    framework.resume(run, {"run.steps": 90})
    numbers = [row["episode"] for row in read_rows(run / "metrics.jsonl") if row["kind"] == "episode"]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_state_of_something_else_is_refused(run: Path) -> None:
    """A checkpoint with correct checksums whose state does not belong to this run."""
    folder = CheckpointFolder(run)
    base, _ = folder.read()
    state = base.state()
    for damage in (
        {},
        {"parts": {}},
        {**state, "parts": {**state["parts"], "stream": {}}},
        {**state, "segments": {"buffer": ["../../000001/state"]}},
        {**state, "segments": {"buffer": 3}},
        {**state, "loop": []},
        {**state, "parts": {**state["parts"], "counters": {"env_steps": "many"}}},
        {**state, "parts": {**state["parts"], "policy": {"table": np.zeros((9, 9))}}},
    ):
        folder.write(damage, {}, base.manifest.about, base)
        with pytest.raises(framework.FrameworkError, match=r"checkpoints/\d{6}"):
            framework.resume(run, {"run.steps": 90})


def test_a_manifest_that_describes_no_run_is_refused(run: Path) -> None:
    base, _ = CheckpointFolder(run).read()
    lacking = {key: value for key, value in base.manifest.about.items() if key != "counters"}
    for about in (
        {},
        lacking,
        {"options": [], "identity": {}},
        {"options": {}, "identity": {}},
        {"options": 3, "identity": 3},
    ):
        CheckpointFolder(run).write(base.state(), {}, about, base)
        with pytest.raises(framework.FrameworkError, match=r"its manifest does not describe a run"):
            framework.resume(run, {"run.steps": 90})
