"""When the best and the last weights are saved."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.errors import FrameworkError
from framework.recording import BestWeights, load_state

# Small integers make equal means common. The earlier of two equal ones is kept.
scores = hnp.arrays(np.float64, st.integers(95, 130), elements=st.integers(-3, 3)).map(np.ndarray.tolist)


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The running mean counts from the first episode, so few episodes are enough."""
    monkeypatch.setattr("framework.recording.weights.WINDOW", 1)


def version(path: Path) -> int:
    state = load_state(path)
    assert (state["weights"] == state["version"]).all()
    return int(state["version"])


# `scripted` makes a new run for each example, so examples share nothing.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(scores)
def test_saved_exactly_when_the_running_mean_is_the_best_so_far(
    scripted: Callable[..., Any], returns: list[float]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = scripted()
        run.start(BestWeights(folder, run.policy, run.statistics, run.clock))
        best, best_at = -np.inf, 0
        for number, raw_return in enumerate(returns, start=1):
            run.episode(raw_return)
            mean = sum(returns[:number][-100:]) / len(returns[:number][-100:])
            if number >= 100 and mean > best:
                best, best_at = mean, number
            assert (folder / "best/mean_100.safetensors").exists() == (number >= 100)
            assert not best_at or version(folder / "best/mean_100.safetensors") == best_at
        if best_at:
            facts = json.loads((folder / "best/mean_100.json").read_text())
            assert facts == {"value": best, "env_steps": 10 * best_at, "updates": 0, "episode": best_at}
        assert not (folder / "best/evaluation.safetensors").exists()


def test_evaluations_have_a_best_of_their_own(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(BestWeights(tmp_path, run.policy, run.statistics, run.clock))
    saved = []
    for returns in [(1.0, 3.0), (2.0, 2.0), (9.0, -9.0), (3.0, 3.0), (float("nan"), 9.0), (2.9, 3.0)]:
        run.policy.version += 1
        run.evaluation(*returns)
        saved.append(version(tmp_path / "best/evaluation.safetensors"))
    assert saved == [1, 1, 1, 4, 4, 4]
    assert json.loads((tmp_path / "best/evaluation.json").read_text())["value"] == 3.0
    assert not (tmp_path / "best/mean_100.safetensors").exists()


@pytest.mark.usefixtures("_short")
def test_the_last_weights_are_saved_at_the_end(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(BestWeights(tmp_path, run.policy, run.statistics, run.clock))
    run.episode(4.0)
    run.episode(1.0)
    assert not (tmp_path / "last.safetensors").exists()
    run.end()
    assert version(tmp_path / "last.safetensors") == 2
    assert version(tmp_path / "best/mean_100.safetensors") == 1
    assert json.loads((tmp_path / "last.json").read_text()) == {
        "value": 2.5,
        "env_steps": 20,
        "updates": 0,
        "episode": 2,
    }


def test_a_run_without_an_episode_still_leaves_its_last_weights(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(BestWeights(tmp_path, run.policy, run.statistics, run.clock))
    run.end()
    assert version(tmp_path / "last.safetensors") == 0
    assert json.loads((tmp_path / "last.json").read_text())["value"] is None


@pytest.mark.usefixtures("_short")
def test_a_resumed_run_knows_its_best(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    weights = BestWeights(tmp_path, run.policy, run.statistics, run.clock)
    run.start(weights)
    run.episode(5.0)
    run.evaluation(5.0)
    resumed = scripted()
    again = BestWeights(tmp_path, resumed.policy, resumed.statistics, resumed.clock)
    again.load_state_dict(weights.state_dict())
    resumed.policy.version = 10
    resumed.start(again)
    resumed.episode(4.0)
    resumed.evaluation(4.0)
    assert version(tmp_path / "best/mean_100.safetensors") == 1
    assert version(tmp_path / "best/evaluation.safetensors") == 1
    resumed.evaluation(6.0)
    assert version(tmp_path / "best/evaluation.safetensors") == 11


@pytest.mark.usefixtures("_short")
def test_a_failing_save_leaves_the_best_so_far(
    scripted: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = scripted()
    run.start(BestWeights(tmp_path, run.policy, run.statistics, run.clock))
    run.episode(1.0)

    def fail(source: Any, target: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(FrameworkError, match=r"mean_100\.safetensors: cannot be written: Input/output error"):
        run.episode(2.0)
    assert version(tmp_path / "best/mean_100.safetensors") == 1
    assert np.isclose(json.loads((tmp_path / "best/mean_100.json").read_text())["value"], 1.0)


@pytest.mark.usefixtures("_short")
def test_better_weights_wait_for_a_second_and_are_never_lost(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    weights = BestWeights(tmp_path, run.policy, run.statistics, run.clock)
    run.start(weights)
    saves = []

    def saved() -> int:
        return version(tmp_path / "best/mean_100.safetensors")

    for number in range(1, 31):
        run.episode(float(number), length=0)
        run.now += 0.1
        weights.on_step(None, run.counters)  # type: ignore[arg-type]  # nothing reads the step
        saves.append(saved())
    assert len(set(saves)) <= 4, "about one write a second"
    assert all(number - saved <= 10 for number, saved in enumerate(saves, start=1)), "nothing waits longer"
    run.episode(31.0, length=0)
    assert saved() < 31
    state = weights.state_dict()
    assert saved() == 31, "a checkpoint writes what waits"
    assert state["mean_100"]["value"] == np.mean(range(1, 32))
    run.episode(99.0, length=0)
    run.end()
    assert saved() == 32, "so does the end"


def test_a_confirmation_outranks_and_a_refutation_disqualifies(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(BestWeights(tmp_path, run.policy, run.statistics, run.clock))
    saved, facts = [], []
    for value, decided in [(5.0, None), (20.0, 15.0), (19.0, 18.5), (21.0, None), (22.0, 17.0), (18.0, 19.0)]:
        run.policy.version += 1
        confirmed = None if decided is None else decided >= 18
        run.result((value,), confirmed=confirmed)
        if decided is not None:
            run.result((decided,) * 3, confirmed=confirmed, confirmation=True)
        saved.append(version(tmp_path / "best/evaluation.safetensors"))
        facts.append(json.loads((tmp_path / "best/evaluation.json").read_text()))
    assert saved == [1, 1, 3, 3, 3, 6]
    assert [fact["value"] for fact in facts] == [5.0, 5.0, 18.5, 18.5, 18.5, 19.0]
    assert facts[-1]["confirmed"] is True and facts[-1]["episodes"] == 3


def test_an_evaluation_that_ended_early_never_outranks_a_whole_one(
    scripted: Callable[..., Any], tmp_path: Path
) -> None:
    run = scripted()
    run.start(BestWeights(tmp_path, run.policy, run.statistics, run.clock))
    saved = []
    for value, abandoned in [(3.0, True), (5.0, True), (4.0, False), (17.0, True), (6.0, False)]:
        run.policy.version += 1
        run.result((value,), abandoned=abandoned)
        saved.append(version(tmp_path / "best/evaluation.safetensors"))
    assert saved == [1, 2, 3, 3, 5]
    run.policy.version += 1
    run.result((float("nan"),))
    assert version(tmp_path / "best/evaluation.safetensors") == 5


def test_an_evaluation_without_a_number_is_never_the_best(scripted: Callable[..., Any], tmp_path: Path) -> None:
    run = scripted()
    run.start(BestWeights(tmp_path, run.policy, run.statistics, run.clock))
    run.result((float("nan"),))
    assert not (tmp_path / "best").exists()
