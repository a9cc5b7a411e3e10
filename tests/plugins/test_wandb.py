"""A run is written for Weights & Biases, without a network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import framework
from framework.assembly.assemble import assemble

pytest.importorskip("wandb")
pytestmark = [pytest.mark.usefixtures("no_figures"), pytest.mark.filterwarnings("ignore")]

VALUES: dict[str, Any] = {"run.episodes": 30, "evaluation.every": 40, "evaluation.episodes": 2}


def test_offline_the_folder_has_the_curves_and_the_options(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    parts = assemble("tabular,chain,wandb", {**VALUES, "wandb.mode": "offline", "wandb.project": "tried"})
    framework.train(parts, tmp_path / "mine")
    assert "warning" not in capfd.readouterr().err
    (record,) = (tmp_path / "mine" / "wandb").glob("offline-run-*/run-*.wandb")
    texts = (b"evaluation/mean", b"episode/return", b"learning/loss", b"tabular.learning_rate", b"tried", b"mine")
    missing: list[bytes] = list(texts)
    for _ in range(300):  # a process of wandb's own writes the file, and may still be writing
        missing = [text for text in texts if text not in record.read_bytes()]
        if not missing:
            break
        time.sleep(0.1)
    assert not missing


def test_without_a_login_the_run_says_so_once_and_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "nothing"))
    outcome = framework.train(assemble("tabular,chain,wandb", {**VALUES, "wandb.mode": "online"}), tmp_path / "mine")
    assert outcome.counters.episodes == 30
    assert capfd.readouterr().err.count("the tracker wandb: RuntimeError: nobody has logged in") == 1
