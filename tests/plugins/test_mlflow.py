"""A run is written to a real store of MLflow, in a database of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import framework
from framework.assembly.assemble import assemble
from framework.recording.rows import read_rows
from plugins import tracking

pytest.importorskip("mlflow")
pytest.importorskip("alembic")
pytestmark = [pytest.mark.usefixtures("no_figures"), pytest.mark.filterwarnings("ignore")]

VALUES: dict[str, Any] = {"run.episodes": 30, "evaluation.every": 40, "evaluation.episodes": 2}


def test_the_store_has_the_curves_and_the_options(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'store.db'}"
    parts = assemble("tabular,chain,mlflow", {**VALUES, "mlflow.uri": uri, "mlflow.experiment": "tried"})
    framework.train(parts, tmp_path / "mine")
    client = MlflowClient(uri)
    (kept,) = client.search_runs([client.get_experiment_by_name("tried").experiment_id])
    assert (kept.info.run_name, kept.info.status) == ("mine", "FINISHED")
    assert kept.data.params["tabular.learning_rate"] == "1.0"
    history = client.get_metric_history(kept.info.run_id, "evaluation/mean")
    written = [row for row in read_rows(tmp_path / "mine" / "metrics.jsonl") if row["kind"] == "evaluation"]
    assert [(one.step, one.value) for one in history] == [(row["env_steps"], row["mean"]) for row in written]
    assert "episode/return" in kept.data.metrics


def test_without_a_server_the_run_ends_well_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(tracking, "PATIENCE", 30.0)
    parts = assemble("tabular,chain,mlflow", {**VALUES, "mlflow.uri": "http://127.0.0.1:9"})
    assert framework.train(parts, tmp_path / "mine").counters.episodes == 30
    assert capfd.readouterr().err.count("warning: the tracker mlflow: ") == 1
