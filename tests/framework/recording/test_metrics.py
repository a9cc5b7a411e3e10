"""The rows of metrics.jsonl, and the same scalars in TensorBoard's files."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import framework
from framework.recording import MetricsWriter, read_rows
from framework.recording.events import EventFile
from framework.types import Counters


class Closing(MetricsWriter):
    """Closes TensorBoard's file at its end, as a run does."""

    file: EventFile

    def on_end(self, counters: Counters) -> None:
        super().on_end(counters)
        self.file.close()


def writer(run: Any, folder: Path, learning_every: int = 500) -> Closing:
    file = EventFile(folder)
    made = Closing(folder, run.exploration, run.statistics, learning_every, clock=run.clock, events=file)
    made.file = file
    return made


def rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [row for row in read_rows(folder / "metrics.jsonl") if row["kind"] == kind]


def events(path: Path) -> list[Any]:
    """The events of a file, read record by record: length, its checksum, data, its checksum."""
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import masked_crc32c

    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        record = data[12 : 12 + length]
        assert struct.unpack("<I", data[8:12])[0] == masked_crc32c(data[:8])
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == masked_crc32c(record)
        found.append(Event.FromString(record))
        data = data[16 + length :]
    return found


def scalars(folder: Path) -> list[tuple[int, dict[str, float]]]:
    return [
        (event.step, {value.tag: value.simple_value for value in event.summary.value})
        for path in sorted(folder.glob("events.out.tfevents.*"))
        for event in events(path)
        if event.summary.value
    ]


def test_rows_say_what_happened(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(writer(run, tmp_path, learning_every=2))
    run.update(1.0, 2.0)
    run.episode(-3.0, length=10)
    run.evaluation(1.0, 3.0, 5.0, seconds=7.0, distinct=2)
    run.episode(4.0, length=30)
    run.update(3.0, 6.0)
    run.update(0.5, 0.5)
    run.end()

    first, second = rows(tmp_path, "episode")
    clocks = {"env_steps": 10, "frames": 40, "updates": 1, "seconds": 10.0}
    figures = {"episode": 1, "return": -3.0, "best": -3.0, "mean_100": -3.0, "length": 10, "epsilon": 0.5}
    assert first == {"kind": "episode", **clocks, **figures}
    assert (second["best"], second["mean_100"], second["epsilon"]) == (4.0, 0.5, 1 / 3)
    assert second["seconds"] == 40.0, "the seven seconds of evaluation are not training"

    (evaluation,) = rows(tmp_path, "evaluation")
    measured = {"mean": 3.0, "deviation": pytest.approx(math.sqrt(8 / 3)), "min": 1.0, "max": 5.0, "distinct": 2}
    details = {"episode": 1, "episodes": 3, "epsilon": 0.001, "evaluation_seconds": 7.0}
    assert evaluation == {"kind": "evaluation", **clocks, **measured, **details}

    whole, rest = rows(tmp_path, "learning")
    assert (whole["loss"], whole["updates"], whole["env_steps"]) == (3.0, 2, 40)
    assert (whole["updates_per_second"], whole["steps_per_second"]) == (2 / 40, 1.0)
    assert (rest["loss"], rest["updates"], rest["updates_per_second"]) == (0.5, 3, None)


def test_rows_say_which_evaluations_confirm_and_which_ended_early(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(writer(run, tmp_path))
    run.result((1.0,))
    run.result((1.0,), abandoned=True)
    run.result((1.0,), confirmation=True)
    run.end()
    rows = [row for row in read_rows(tmp_path / "metrics.jsonl") if row["kind"] == "evaluation"]
    named = [{key: row[key] for key in ("confirmation", "abandoned") if key in row} for row in rows]
    assert named == [{}, {"abandoned": True}, {"confirmation": True}]


def test_neither_an_evaluation_nor_its_confirmation_is_training(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(writer(run, tmp_path))
    run.episode(1.0, length=10)
    run.evaluation(20.0, seconds=7.0, confirmation=60.0)
    run.episode(2.0, length=30)
    run.end()
    assert [row["seconds"] for row in rows(tmp_path, "evaluation")] == [10.0, 10.0]
    assert [row["seconds"] for row in rows(tmp_path, "episode")] == [10.0, 40.0]


def test_an_evaluation_that_is_cut_short_is_not_training(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    metrics = writer(run, tmp_path)
    run.start(metrics)
    run.episode(1.0, length=10)
    run.begin_evaluation()
    run.now += 50
    assert metrics.state_dict()["seconds"] == 10.0
    run.end()


def test_tensorboard_holds_the_same_scalars(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(writer(run, tmp_path, learning_every=1))
    run.episode(-3.0)
    run.evaluation(1.0, 3.0)
    run.update(0.25)
    run.end()
    found = scalars(tmp_path)
    assert [step for step, _ in found] == [10, 10, 10]
    episode = {"episode/return": -3, "episode/best": -3, "episode/mean_100": -3, "episode/length": 10}
    assert found[0][1] == {**episode, "exploration/epsilon": 0.5}
    tags = {"mean": 2, "deviation": 1, "min": 1, "max": 3, "distinct": 1}
    assert found[1][1] == {f"evaluation/{tag}": value for tag, value in tags.items()}
    speeds = {"learning/updates_per_second": pytest.approx(0.1), "learning/steps_per_second": 1}
    assert found[2][1] == {"learning/loss": 0.25, **speeds}


def test_an_exploration_without_epsilon_reports_none(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted(reports=False)
    run.start(writer(run, tmp_path))
    run.episode(1.0)
    run.end()
    assert "epsilon" not in rows(tmp_path, "episode")[0]
    assert not any("exploration/epsilon" in values for _, values in scalars(tmp_path))


def test_rows_are_in_the_file_at_once_and_valid_json(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(writer(run, tmp_path))
    run.episode(math.nan)
    text = (tmp_path / "metrics.jsonl").read_text()
    assert text.endswith("\n")
    assert json.loads(text, parse_constant=pytest.fail)["return"] is None
    run.episode(math.inf)
    assert len(rows(tmp_path, "episode")) == 2
    run.end()


def test_a_resumed_run_writes_what_an_unbroken_one_would(scripted: Callable[..., Any], tmp_path: Path) -> None:
    def begin(run: Any) -> None:
        run.update(1.0)
        run.episode(2.0)
        run.evaluation(3.0)

    def finish(run: Any) -> None:
        run.update(5.0)
        run.update(7.0)
        run.episode(4.0)
        run.end()

    (unbroken := tmp_path / "unbroken").mkdir()
    (broken := tmp_path / "broken").mkdir()
    run = scripted()
    run.start(writer(run, unbroken, learning_every=2))
    begin(run)
    finish(run)

    run = scripted()
    killed = writer(run, broken, learning_every=2)
    run.start(killed)
    begin(run)
    saved = killed.state_dict(), run.statistics.state_dict(), run.counters.state_dict()
    run.episode(99.0)  # after the checkpoint, so the resumed run removes it
    with (broken / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "ep')

    resumed = scripted()
    again = writer(resumed, broken, learning_every=2)
    for part, state in zip((again, resumed.statistics, resumed.counters), saved, strict=True):
        part.load_state_dict(state)
    resumed.now = 5000.0
    resumed.start(again)
    finish(resumed)
    assert read_rows(broken / "metrics.jsonl") == read_rows(unbroken / "metrics.jsonl")
    killed.on_end(run.counters)


@pytest.mark.usefixtures("no_figures")
def test_tensorboard_forgets_what_a_run_wrote_after_its_checkpoint(tmp_path: Path) -> None:
    framework.train(framework.assemble("tabular,chain", {"run.steps": 100, "run.episodes": None}), tmp_path / "run")
    framework.resume(tmp_path / "run", {"run.steps": 200})
    names = sorted((tmp_path / "run").glob("events.out.tfevents.*"), key=lambda path: path.suffix)
    assert [path.suffix for path in names] == [".0", ".1"]
    starts = [[event.step for event in events(name) if event.HasField("session_log")] for name in names]
    assert starts == [[], [101]]


def test_no_torch_and_nothing_heavy(tmp_path: Path) -> None:
    """The package alone imports little, and writing metrics does not import an installed torch."""
    script = f"""
import sys, pathlib
import framework.recording as recording
heavy = {{"rich", "matplotlib", "tensorboardX", "torch"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
from framework.events import Episode
from framework.types import Counters
class Exploration:
    def metrics(self, counters): return {{}}
exploration, folder = Exploration(), pathlib.Path({str(tmp_path)!r})
from framework.recording.events import EventFile
from framework.types import Counters
file = EventFile(folder)
writer = recording.MetricsWriter(folder, exploration, recording.EpisodeStatistics(exploration), events=file)
counters = Counters(episodes=1)
writer.on_start(counters)
assert "tensorboardX" not in sys.modules
writer.on_episode(Episode(1, 0, 1.0, 1), counters)
writer.on_end(counters)
file.close()
assert "tensorboardX" in sys.modules and "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert len(list(tmp_path.glob("events.out.tfevents.*"))) == 1


def test_ending_without_a_start_is_no_error(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    writer(run, tmp_path).on_end(run.counters)
    assert not list(tmp_path.iterdir())


def test_the_options_are_hyperparameters_of_tensorboard_once(tmp_path: Path) -> None:
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    options = {"run.seed": 3, "dqn.mlp": (64, 64), "dqn.loss": "huber", "run.until": None, "run.deterministic": False}
    for started in (0, 50):  # a run, and the same run resumed
        file = EventFile(tmp_path, options, started + 1 if started else None)
        file.write(started, {"episode/return": 1.0})
        file.close()
    values = [
        HParamsPluginData.FromString(value.metadata.plugin_data.content).session_start_info.hparams
        for path in tmp_path.glob("events.out.tfevents.*")
        for event in events(path)
        for value in event.summary.value
        if value.tag == "_hparams_/session_start_info"
    ]
    assert len(values) == 1
    found = {name: getattr(value, value.WhichOneof("kind")) for name, value in values[0].items()}
    assert found == {"run.seed": 3, "dqn.mlp": "(64, 64)", "dqn.loss": "huber", "run.deterministic": False}
