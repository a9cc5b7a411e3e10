"""The standard callbacks: which files a run leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import framework
from framework.recording import load_state, read_rows


def test_a_run_leaves_everything_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = framework.assemble("tabular,chain", {"run.seed": 1, "run.episodes": 120, "evaluation.every": 50})
    outcome = framework.train(parts, tmp_path, show_progress=True)
    rows = read_rows(tmp_path / "metrics.jsonl")
    episodes = [row for row in rows if row["kind"] == "episode"]
    assert [row["episode"] for row in episodes] == list(range(1, 121))
    means = [row["mean_100"] for row in episodes]
    best = json.loads((tmp_path / "best/mean_100.json").read_text())
    whole = means[99:]  # from the hundredth episode on
    assert best["value"] == max(whole)
    assert best["episode"] == 100 + min(index for index, mean in enumerate(whole) if mean == max(whole))
    assert json.loads((tmp_path / "last.json").read_text())["env_steps"] == outcome.counters.env_steps
    for name in ("last", "best/mean_100", "best/evaluation"):
        assert load_state(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    assert (tmp_path / "epsilon.png").exists()
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("episode ") for line in lines) == 120
    assert sum(line.startswith("evaluation ") for line in lines) == sum(row["kind"] == "evaluation" for row in rows) > 0


def test_nothing_is_shown_or_written_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    framework.train(framework.assemble("tabular,chain", {"run.episodes": 5}))
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().out == ""
