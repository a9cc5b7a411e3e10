"""A run is written to a real store of MLflow: a database of its own, and MLflow's own server where it is installed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import framework
from framework.assembly.assemble import assemble
from framework.events import Callback, Episode
from framework.recording.rows import read_rows
from framework.types import Counters
from plugins import tracking

pytest.importorskip("mlflow")
pytest.importorskip("alembic")
pytestmark = [pytest.mark.usefixtures("no_figures"), pytest.mark.filterwarnings("ignore")]

VALUES: dict[str, Any] = {"run.episodes": 30, "evaluation.every": 40, "evaluation.episodes": 2}


def kept_by(uri: str, tmp_path: Path) -> Any:
    """What MLflow keeps of a run, after its evaluations were compared with those that the run wrote."""
    from mlflow import MlflowClient

    given = {**VALUES, "mlflow.uri": uri, "mlflow.experiment": "tried"}
    framework.train(assemble("tabular,chain,mlflow", given), tmp_path / "mine")
    client = MlflowClient(uri)
    (kept,) = client.search_runs([client.get_experiment_by_name("tried").experiment_id])
    history = client.get_metric_history(kept.info.run_id, "evaluation/mean")
    written = [row for row in read_rows(tmp_path / "mine" / "metrics.jsonl") if row["kind"] == "evaluation"]
    assert [(one.step, one.value) for one in history] == [(row["env_steps"], row["mean"]) for row in written]
    assert (kept.info.run_name, kept.info.status) == ("mine", "FINISHED")
    return kept


def test_the_store_has_the_curves_and_the_options(tmp_path: Path) -> None:
    kept = kept_by(f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    assert kept.data.params["tabular.learning_rate"] == "1.0"
    assert "episode/return" in kept.data.metrics


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of MLflow's tracking server, with its embedded store. Only the whole package mlflow has it."""
    pytest.importorskip("mlflow.server.handlers")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = f"sqlite:///{tmp_path / 'server.db'}"
    line = ["server", "--backend-store-uri", store, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *line], stdout=log, stderr=log, cwd=tmp_path, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 90
        while not answers(address):
            assert process.poll() is None and time.monotonic() < until, (tmp_path / "server.log").read_text()
            time.sleep(0.5)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the server has processes of its own
        process.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_the_real_server_gets_the_whole_run(server: str, tmp_path: Path) -> None:
    assert kept_by(server, tmp_path).data.params["run.episodes"] == "30"


def test_a_server_that_dies_costs_the_run_nothing(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(tracking, "PATIENCE", 30.0)
    monkeypatch.setattr(tracking, "SECONDS", 0.05)
    port = int(server.rpartition(":")[2])
    killed = []

    class Kills(Callback):
        def on_episode(self, episode: Episode, counters: Counters) -> None:
            if episode.number == 10:
                for process in psutil.process_iter(["cmdline"]):
                    if str(port) in (process.info["cmdline"] or ()) and "mlflow" in str(process.info["cmdline"]):
                        process.kill()
                        killed.append(process.pid)
            time.sleep(0.05)

    given = {**VALUES, "mlflow.uri": server}
    outcome = framework.train(assemble("tabular,chain,mlflow", given), tmp_path / "mine", callbacks=[Kills()])
    assert killed
    assert outcome.counters.episodes == 30
    assert capfd.readouterr().err.count("warning: the tracker mlflow: ") == 1


def test_without_a_server_the_run_ends_well_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(tracking, "PATIENCE", 30.0)
    parts = assemble("tabular,chain,mlflow", {**VALUES, "mlflow.uri": "http://127.0.0.1:9"})
    assert framework.train(parts, tmp_path / "mine").counters.episodes == 30
    assert capfd.readouterr().err.count("warning: the tracker mlflow: ") == 1
