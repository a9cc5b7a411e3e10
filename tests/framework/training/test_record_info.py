"""`record.info`: rows, TensorBoard, evaluations, resumed runs, and what is said about a key that never came."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import framework
from framework.cli.app import app
from framework.errors import UsageError
from framework.recording import read_rows
from tests.framework.checkpoints.pieces import left_behind

PLUGIN = '''
"""A walk to the right, of at most nine steps. `info` says whether it arrived, and much that cannot be batched."""

import gymnasium
import numpy as np

from framework.hooks import hookimpl


class Walk(gymnasium.Env):
    observation_space, action_space = gymnasium.spaces.Discrete(10), gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = self.time = 0
        return 0, {"forward": 99.0}

    def step(self, action):
        self.at, self.time = self.at + action, self.time + 1
        over = self.at == 3
        info = {"forward": float(action), "time": np.array(self.time), "ragged": np.arange(self.time), "odd": object()}
        if over or self.time == 9:
            info["is_success"] = np.bool_(over)
        return self.at, float(over), over, self.time == 9, info


@hookimpl
def make_env():
    return lambda: gymnasium.wrappers.RecordEpisodeStatistics(Walk()) if STATISTICS else Walk()
'''

INFO = ["is_success", "sum:forward", "time"]
VALUES = {
    "run.steps": 120,
    "run.num_envs": 2,
    "evaluation.every": 40,
    "evaluation.episodes": 4,
    "evaluation.epsilon": 0.5,
    "exploration.start": 0.5,
    "exploration.final": 0.5,
    "replay.capacity": 80,
    "checkpoint.every": 30,
}


pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture
def names(tmp_path: Path) -> str:
    (tmp_path / "walk.py").write_text(PLUGIN.replace("STATISTICS", "False"))
    return f"tabular,{tmp_path / 'walk.py'}"


def rows(run: Path, kind: str) -> list[dict[str, Any]]:
    return [row for row in read_rows(run / "metrics.jsonl") if row["kind"] == kind]


@pytest.mark.parametrize("processes", [False, True])
def test_episodes_and_evaluations_have_them(processes: bool, names: str, tmp_path: Path) -> None:
    values = {**VALUES, "record.info": INFO, "run.env_processes": processes}
    outcome = framework.train(framework.assemble(f"{names},framework.testing", values), tmp_path / "run")
    assert not outcome.complaints
    episodes = rows(tmp_path / "run", "episode")
    assert len(episodes) > 10
    for row in episodes:
        assert row["info/time"] == row["length"]
        assert row["info/is_success"] == row["return"]
        assert row["info/sum:forward"] == 3 if row["return"] else row["info/sum:forward"] < 3
    assert {row["info/is_success"] for row in episodes} == {0.0, 1.0}
    for row in rows(tmp_path / "run", "evaluation"):
        assert row["info/is_success"] == row["mean"]
    assert outcome.last_evaluation is not None
    assert set(outcome.last_evaluation.info) == set(INFO)
    assert outcome.last_evaluation.info["time"] == outcome.last_evaluation.lengths


def test_nothing_of_it_is_recorded_unless_asked_for_but_the_success_of_evaluations(names: str, tmp_path: Path) -> None:
    framework.train(framework.assemble(names, VALUES), tmp_path / "run")
    assert not any("info" in key for row in rows(tmp_path / "run", "episode") for key in row)
    for row in rows(tmp_path / "run", "evaluation"):
        assert [key for key in row if "info" in key] == ["info/is_success"]
        assert row["info/is_success"] == row["mean"]
    chain = framework.assemble("tabular,chain")
    assert framework.evaluate(chain, name="test", episodes=2).info == {}
    chain.close()


def test_asking_changes_nothing_else(names: str, tmp_path: Path) -> None:
    for run, more in (("plain", {}), ("asked", {"record.info": INFO})):
        framework.train(framework.assemble(names, {**VALUES, **more}), tmp_path / run)
    plain, asked = left_behind(tmp_path / "plain"), left_behind(tmp_path / "asked")
    assert plain["weights"] == asked["weights"]
    kept = [{key: value for key, value in row.items() if "info" not in key} for row in asked["rows"]]
    assert kept == [{key: value for key, value in row.items() if "info" not in key} for row in plain["rows"]]


@pytest.mark.parametrize("ends", [[62, 120], [14, 50, 120]])
def test_a_run_in_pieces_records_the_rows_of_the_run_in_one(ends: list[int], names: str, tmp_path: Path) -> None:
    values = {**VALUES, "record.info": INFO}
    framework.train(framework.assemble(names, values), tmp_path / "one")
    framework.train(framework.assemble(names, {**values, "run.steps": ends[0]}), tmp_path / "several")
    for end in ends[1:]:
        framework.resume(tmp_path / "several", {"run.steps": end})
    assert left_behind(tmp_path / "several") == left_behind(tmp_path / "one")


def test_tensorboard_has_them(names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points: list[dict[str, Any]] = []
    monkeypatch.setattr("framework.recording.events.EventFile.write", lambda self, steps, given: points.append(given))
    framework.train(framework.assemble(names, {**VALUES, "record.info": INFO}), tmp_path / "run")
    tags = {tag for given in points for tag in given}
    assert {f"{kind}/info/{name}" for kind in ("episode", "evaluation") for name in INFO} <= tags


def test_a_key_that_never_came_is_named_with_those_that_did(names: str, tmp_path: Path) -> None:
    values = {**VALUES, "record.info": ["is_sucess", "sum:nothing", "time"]}
    outcome = framework.train(framework.assemble(names, values), tmp_path / "run")
    ours = "it had forward, is_success, odd, ragged and time: correct the name or drop it"
    assert outcome.complaints == [
        f"record.info names '{name}', which the environment's info never had; {ours}"
        for name in ("is_sucess", "nothing")
    ]
    assert rows(tmp_path / "run", "episode")[0]["info/is_sucess"] is None
    assert "is_sucess –" in outcome.last_evaluation.describe()  # type: ignore[union-attr]
    again = framework.resume(tmp_path / "run", {"run.steps": 140})
    assert again.complaints == outcome.complaints
    short = framework.train(framework.assemble(names, {**values, "run.steps": 2}))
    assert not short.complaints, "no episode has ended"


@pytest.mark.parametrize("key", ["ragged", "odd", "sum:ragged"])
def test_what_is_no_number_is_refused_by_its_name(key: str, names: str) -> None:
    name = key.removeprefix("sum:")
    with pytest.raises(UsageError, match=f"record.info names '{name}'.*which is no number: take it out"):
        framework.train(framework.assemble(names, {**VALUES, "record.info": [key]}))


def test_the_statistics_of_an_environment_s_own_wrapper_are_not_doubled(tmp_path: Path) -> None:
    (tmp_path / "walk.py").write_text(PLUGIN.replace("STATISTICS", "True"))
    names = f"tabular,{tmp_path / 'walk.py'}"
    framework.train(framework.assemble(names, {**VALUES, "record.info": INFO}), tmp_path / "run")
    for row in rows(tmp_path / "run", "episode"):
        assert [key for key in row if "info" in key] == [f"info/{name}" for name in INFO]
    with pytest.raises(UsageError, match=r"record.info names 'episode', and the environment's info has dict there"):
        framework.train(framework.assemble(names, {**VALUES, "record.info": ["episode"]}))


def test_the_commands(names: str, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    run = str(tmp_path / "run")
    words = ["run", "-p", names, "--steps", "60", "--run-dir", run, "--set", 'record.info=["sum:forward", "nothing"]']
    app(words, standalone_mode=False)
    printed = capsys.readouterr()
    assert "warning: record.info names 'nothing', which the environment's info never had; it had forward" in printed.err
    app(["evaluate", run, "--episodes", "5", "--epsilon", "0.5", "--json"], standalone_mode=False)
    figures = json.loads(capsys.readouterr().out)
    assert figures["info"]["is_success"] == figures["returns"]
    assert figures["info/is_success"] == figures["mean"]
    assert figures["info/nothing"] is None
    words = ["evaluate", run, "--episodes", "5", "--epsilon", "0.5"]
    app([*words, "--set", 'record.info=["sum:time"]'], standalone_mode=False)
    assert re.search(r"\) \| is_success \d\.\d\d \| sum:time \d+\.\d\d \| min", capsys.readouterr().out)
    app(words, standalone_mode=False)
    out = capsys.readouterr().out
    assert f" | is_success {figures['mean']:.2f} | sum:forward {figures['info/sum:forward']:.2f} | nothing – |" in out


def test_environments_of_gymnasium_have_them(tmp_path: Path) -> None:
    """FrozenLake's info has the probability of what happened."""
    values = {"run.steps": 200, "record.info": ["prob", "sum:prob"]}
    framework.train(framework.assemble("tabular,gym:FrozenLake-v1", values), tmp_path / "run")
    for row in rows(tmp_path / "run", "episode"):
        assert row["info/prob"] == pytest.approx(1 / 3)
        assert row["info/sum:prob"] == pytest.approx(row["length"] / 3)
