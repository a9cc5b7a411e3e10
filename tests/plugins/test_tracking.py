"""A tracker gets what a run writes, and nothing that it does or fails to do changes the run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import framework
from framework.assembly.assemble import assemble
from framework.errors import UsageError
from framework.events import Callback, Episode
from framework.recording.rows import read_rows
from framework.types import Counters
from plugins import tracking
from plugins.tracking import Row, Tracker

pytestmark = pytest.mark.usefixtures("no_figures")

VALUES = {"run.episodes": 30, "evaluation.every": 40, "evaluation.episodes": 2}


class Kept:
    """A service that keeps what it gets."""

    def __init__(self) -> None:
        self.name, self.options = "", dict[str, Any]()
        self.rows: list[Row] = []
        self.ended = False

    def begin(self, name: str, options: Mapping[str, Any]) -> None:
        self.name, self.options = name, dict(options)

    def send(self, rows: Sequence[Row]) -> None:
        self.rows += rows

    def end(self, failed: bool) -> None:
        self.ended, self.failed = True, failed


class Refusing(Kept):
    """A service that raises in one of its methods."""

    def __init__(self, method: str) -> None:
        super().__init__()
        setattr(self, method, self.refuse)

    def refuse(self, *given: Any) -> None:
        raise ConnectionError("the network\nis down")


class Hanging(Kept):
    """A service that never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def begin(self, name: str, options: Mapping[str, Any]) -> None:
        self.released.wait()


def run(service: Any, folder: Path) -> Any:
    return framework.train(
        assemble("tabular,chain", VALUES), folder, callbacks=[Tracker("it", service, folder, {"a": 1})]
    )


def test_the_service_gets_every_evaluation_and_the_newest_of_the_others(tmp_path: Path) -> None:
    service = Kept()
    run(service, tmp_path / "mine")
    assert (service.name, service.options, service.ended) == ("mine", {"a": 1}, True)
    written = read_rows(tmp_path / "mine" / "metrics.jsonl")
    evaluations = [(row["env_steps"], row["mean"]) for row in written if row["kind"] == "evaluation"]
    assert evaluations
    found = [(steps, scalars["evaluation/mean"]) for steps, scalars in service.rows if "evaluation/mean" in scalars]
    assert found == evaluations
    last = [row for row in written if row["kind"] == "episode"][-1]
    steps, scalars = [row for row in service.rows if "episode/return" in row[1]][-1]
    assert (steps, scalars["episode/return"], scalars["episode/best"]) == (
        last["env_steps"],
        last["return"],
        last["best"],
    )
    assert any("learning/loss" in scalars for _, scalars in service.rows), "also the row that the end of the run writes"
    assert [steps for steps, _ in service.rows] == sorted(steps for steps, _ in service.rows)


class Raising(Callback):
    """Ends a run by an exception."""

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        raise ConnectionResetError("the end")


def test_the_service_hears_whether_an_exception_ended_the_run(tmp_path: Path) -> None:
    service, failed = Kept(), Kept()
    run(service, tmp_path / "whole")
    folder = tmp_path / "failed"
    with pytest.raises(ConnectionResetError):
        framework.train(
            assemble("tabular,chain", VALUES), folder, callbacks=[Tracker("it", failed, folder, {}), Raising()]
        )
    assert (service.ended, service.failed) == (True, False)
    assert (failed.ended, failed.failed) == (True, True)


def test_a_resumed_run_sends_only_what_is_new(tmp_path: Path) -> None:
    run(Kept(), tmp_path / "run")
    service = Kept()
    folder = tmp_path / "run"
    steps = max(row["env_steps"] for row in read_rows(folder / "metrics.jsonl"))
    tracker = Tracker("it", service, folder, {})
    tracker.on_start(Counters())
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(f'{{"kind": "episode", "env_steps": {steps + 1}, "return": 2.0, "best": null}}\n{{"kind": "half')
    tracker.on_end(Counters())
    assert service.rows == [(steps + 1, {"episode/return": 2.0})]


@pytest.mark.parametrize("method", ["begin", "send", "end"])
def test_a_service_that_raises_is_said_once_and_the_run_goes_on(
    method: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    outcome = run(Refusing(method), tmp_path / "run")
    assert outcome.counters.episodes == 30
    error = capfd.readouterr().err
    assert error.count("warning: the tracker it: ConnectionError: the network is down; the run continues") == 1
    assert "Traceback" not in error


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    service = Hanging()
    yield service
    service.released.set()


def test_a_service_that_hangs_does_not_hold_the_run(
    hanging: Hanging, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "PATIENCE", 0.2)
    assert run(hanging, tmp_path / "run").counters.episodes == 30
    assert "the tracker it: did not answer for 0.2 seconds" in capfd.readouterr().err


@pytest.mark.parametrize("plugin", ["wandb", "mlflow"])
def test_a_library_that_is_missing_is_named_and_leaves_no_folder(
    plugin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    there = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == plugin else there(name))
    with pytest.raises(UsageError, match=rf"the plugin {plugin} needs {plugin}: pip install 'pluggable-q\[{plugin}\]'"):
        framework.train(assemble(f"tabular,chain,{plugin}", VALUES), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    framework.train(assemble(f"tabular,chain,{plugin}", {"run.episodes": 2}))  # records nothing, and needs nothing
