"""A run in several pieces equals the run in one piece: the same metrics and weights, bit for bit."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import framework
from framework.checkpoints.folder import CheckpointFolder
from framework.events import Callback, Episode
from framework.recording import load_state
from framework.training.evaluation import evaluate
from framework.training.loop import Loop
from framework.types import Counters, Step
from tests.framework.checkpoints.pieces import left_behind
from tests.mutants.correct_compositions import NETWORKS, TABLES

SMALL = {
    "learning.starts": 30,
    "learning.updates_per_step": 1.0,
    "replay.capacity": 150,
    "evaluation.every": 70,
    "evaluation.episodes": 2,
    "evaluation.num_envs": 2,
}
DEEP = {**SMALL, "learning.updates_per_step": 0.5, "learning.batch_size": 8, "dqn.hidden": 8}
COPIES = {**DEEP, "target.every": 25}
# a run in pieces has other ends on the way, so what is planned over the run needs a length of its own
SCHEDULED = {"run.planned": 1_000, "exploration.share": 0.5, "dqn.learning_rate_left": 0.0}
CASES: dict[str, dict[str, Any]] = {
    "tabular": {**SMALL, "tabular.power": 0.6},
    "tabular,nstep,sarsa": SMALL,
    "tabular,double_q,ucb": SMALL,
    "dqn": COPIES,
    "dqn,boltzmann,polyak,double,dueling": DEEP,
    "dqn,ez_greedy": {**COPIES, **SCHEDULED, "dqn.optimizer": "rmsprop"},
    "dqn,per,nstep,noisy": COPIES,
    "dqn,iqn,munchausen,online": DEEP,
    "rainbow": COPIES,
    "pqn": {"dqn.hidden": 8, "pqn.rollout": 8, "pqn.minibatches": 2, "evaluation.every": 70, "evaluation.episodes": 2},
}


def in_one_piece(names: str, values: dict[str, Any], steps: int, run: Path) -> None:
    framework.train(framework.assemble(names, {**values, "run.steps": steps}), run)


def in_pieces(names: str, values: dict[str, Any], ends: list[int], run: Path) -> None:
    in_one_piece(names, values, ends[0], run)
    for end in ends[1:]:
        framework.resume(run, {"run.steps": end})


pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.mark.parametrize(("env", "num_envs"), [("chain", 1), ("grid", 3)])
@pytest.mark.parametrize("names", CASES)
def test_a_run_in_three_pieces_is_the_run_in_one(names: str, env: str, num_envs: int, tmp_path: Path) -> None:
    values = {**CASES[names], "run.num_envs": num_envs, "checkpoint.every": 60}
    in_one_piece(f"{names},{env}", values, 400, tmp_path / "one")
    in_pieces(f"{names},{env}", values, [111, 265, 400], tmp_path / "three")
    assert left_behind(tmp_path / "three") == left_behind(tmp_path / "one")
    assert_same_state(tmp_path / "three", tmp_path / "one")


@pytest.mark.parametrize("names", ["pqn", "pqn,averaging"])
@pytest.mark.parametrize(("epochs", "minibatches"), [(1, 1), (3, 4)])
def test_an_overlapped_round_goes_on_bit_for_bit(names: str, epochs: int, minibatches: int, tmp_path: Path) -> None:
    """Checkpoints and ends come in the middle of rollouts of 24 steps."""
    options = {"pqn.overlap": True, "pqn.epochs": epochs, "pqn.minibatches": minibatches}
    values = {**CASES["pqn"], **options, "run.num_envs": 3, "checkpoint.every": 39}
    in_one_piece(f"{names},grid", values, 300, tmp_path / "one")
    in_pieces(f"{names},grid", values, [63, 135, 300], tmp_path / "pieces")
    assert left_behind(tmp_path / "pieces") == left_behind(tmp_path / "one")
    assert_same_state(tmp_path / "pieces", tmp_path / "one")


@pytest.mark.slow
@pytest.mark.parametrize("env", ["chain", "grid"])
@pytest.mark.parametrize("names", [*TABLES, *NETWORKS, "chapter"])
def test_every_shipped_composition_in_two_pieces_is_that_in_one(names: str, env: str, tmp_path: Path) -> None:
    if (names, env) == ("chapter", "grid"):
        pytest.skip("chapter has values for the chain and for Atari")
    values = {**(SMALL if names in (*TABLES, "chapter") else DEEP), "run.num_envs": 2, "checkpoint.every": 60}
    if names.startswith("pqn"):
        values = {**CASES["pqn"], "run.num_envs": 2, "checkpoint.every": 60}
    in_one_piece(f"{names},{env}", values, 300, tmp_path / "one")
    in_pieces(f"{names},{env}", values, [146, 300], tmp_path / "two")
    assert left_behind(tmp_path / "two") == left_behind(tmp_path / "one")
    assert_same_state(tmp_path / "two", tmp_path / "one")


def assert_same_state(one: Path, other: Path) -> None:
    """Compare the whole states, without the places where the replay was cut, which depend on the saves."""
    states = []
    for run in (one, other):
        state = CheckpointFolder(run).read()[0].state()
        state["parts"].get("buffer", {}).pop("cuts", None)
        del state["segments"], state["callbacks"]["MetricsWriter"]
        if state["loop"]["last_evaluation"]:
            del state["loop"]["last_evaluation"]["seconds"]
        states.append(state)
    np.testing.assert_equal(*states)


@given(ends=st.sets(st.integers(1, 80), min_size=2, max_size=4).map(sorted), every=st.integers(1, 100))
@settings(max_examples=12)
def test_a_run_can_be_cut_anywhere(ends: list[int], every: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("runs")
    values = {**SMALL, "replay.capacity": 40, "run.num_envs": 2, "checkpoint.every": every, "evaluation.every": 50}
    ends = [2 * end for end in ends]  # two environments make two steps at once
    in_one_piece("tabular,nstep,grid", values, ends[-1], folder / "one")
    in_pieces("tabular,nstep,grid", values, ends, folder / "several")
    assert left_behind(folder / "several") == left_behind(folder / "one")


def test_a_fresh_process_goes_on_bit_for_bit(tmp_path: Path) -> None:
    values = {**DEEP, "checkpoint.every": 60}
    in_one_piece("dqn,per,noisy,grid", values, 300, tmp_path / "one")
    in_one_piece("dqn,per,noisy,grid", values, 130, tmp_path / "two")
    command = [sys.executable, "-m", "framework", "run", "--resume", str(tmp_path / "two"), "--steps", "300"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "resumed  after 130 steps" in done.stdout
    assert left_behind(tmp_path / "two") == left_behind(tmp_path / "one")


class CtrlC(Callback):
    """Presses Ctrl-C at a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def on_step(self, step: Step, counters: Counters) -> None:
        if counters.env_steps == self.at:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("at", [55, 70, 71])
@pytest.mark.parametrize("names", ["tabular,grid", "dqn,grid"])
def test_an_interrupted_run_goes_on_bit_for_bit(names: str, at: int, tmp_path: Path) -> None:
    """At step 70 an evaluation is due. The resumed run makes it."""
    in_one_piece(names, DEEP if "dqn" in names else SMALL, 200, tmp_path / "one")
    parts = framework.assemble(names, {**(DEEP if "dqn" in names else SMALL), "run.steps": 200})
    assert framework.train(parts, tmp_path / "two", callbacks=[CtrlC(at)]).interrupted
    framework.resume(tmp_path / "two")
    assert left_behind(tmp_path / "two") == left_behind(tmp_path / "one")


def test_an_evaluation_that_is_cut_short_is_made_whole_with_its_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {**SMALL, "run.until": -5.0, "evaluation.confirm": 3, "run.steps": 500}
    loop = Loop(framework.assemble("tabular,grid", values))

    def interrupted(agent: Any, *, name: str, **more: Any) -> Any:
        if name.startswith("confirmation"):
            loop.stop()
        return evaluate(agent, name=name, **more)

    with monkeypatch.context() as patched:
        patched.setattr("framework.training.evaluations.evaluate", interrupted)
        loop.run()
    assert loop.last_evaluation is None
    assert loop.state_dict()["evaluations"] == 0
    resumed = Loop(loop.parts)
    resumed.load_state_dict(loop.state_dict())
    resumed.run()
    assert resumed.counters.env_steps == 70
    assert resumed.last_evaluation is not None
    assert len(resumed.last_evaluation.returns) == 3


def test_a_callbacks_own_state_is_saved(tmp_path: Path) -> None:
    class EpisodeSpy(Callback):
        def __init__(self) -> None:
            self.seen = 0

        def on_episode(self, episode: Episode, counters: Counters) -> None:
            self.seen += 1

        def state_dict(self) -> dict[str, Any]:
            return {"seen": self.seen}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.seen = state["seen"]

    spies = [EpisodeSpy(), EpisodeSpy()]
    framework.train(framework.assemble("tabular,chain", {"run.episodes": 9}), tmp_path, callbacks=spies)
    with pytest.raises(
        framework.FrameworkError, match=r"callbacks are not those of this run: .*EpisodeSpy, .*EpisodeSpy 2"
    ):
        framework.resume(tmp_path, {"run.episodes": 12})
    from framework.config import Source
    from framework.training.resume import reopen

    reopened = reopen(tmp_path, sources=[Source("test", {"run.episodes": 12})])
    again = [EpisodeSpy(), EpisodeSpy()]
    framework.train(reopened.parts, tmp_path, callbacks=again, checkpoint=reopened.checkpoint)
    assert [one.seen for one in again] == [12, 12]


def test_the_state_of_a_run_without_a_folder_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    framework.train(framework.assemble("tabular,chain", {"run.episodes": 5}))
    framework.train(framework.assemble("tabular,chain", {"run.episodes": 5, "checkpoint.every": 0}), "run")
    assert [path.name for path in tmp_path.rglob("*checkpoint*")] == []


def test_no_file_of_a_run_is_a_pickle(tmp_path: Path) -> None:
    in_pieces("dqn,per,noisy,chain", DEEP, [60, 90], tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    suffixes = {path.suffix for path in files if "tfevents" not in path.name}
    assert suffixes <= {".safetensors", ".json", ".jsonl", ".toml", ".png", ""}
    for path in files:
        content = path.read_bytes()
        assert not (content.startswith(b"\x80") and content.endswith(b".")), f"{path} looks like a pickle"
        if path.suffix == ".safetensors":
            load_state(path)
