"""What is read from the runs of a study, and their figures against slow references."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import FrameworkError, UsageError
from framework.study import Curve, read_run, read_study

RETURNS = st.floats(-1e6, 1e6)


@st.composite
def curves(draw: st.DrawFn, fewest: int = 1) -> Curve:
    """Step functions as runs make them. Several episodes may end at the same step, as environments run side by side."""
    values = draw(st.lists(RETURNS, min_size=fewest, max_size=12))
    first = draw(st.integers(1, 9))
    gaps = draw(st.lists(st.integers(0, 9), min_size=len(values), max_size=len(values)))
    steps = first + np.cumsum([0, *gaps])[: len(values)]
    tail = draw(st.integers(0, 9))
    return Curve(steps.astype(np.int64), np.array(values, np.float64), int(steps.max(initial=0)) + tail)


def slow_area(curve: Curve) -> float:
    """The average over all steps of the value at each step."""
    total = 0.0
    for step in range(curve.end):
        ended = [value for end, value in zip(curve.x, curve.values, strict=True) if end <= step]
        total += ended[-1] if ended else _first(curve)
    return total / curve.end


def _first(curve: Curve) -> float:
    return float(curve.values[curve.x == curve.x[0]][-1])


@given(curves())
def test_the_area_is_the_average_over_single_steps(curve: Curve) -> None:
    assert curve.area() == pytest.approx(slow_area(curve), rel=1e-9, abs=1e-9)


@given(curves(), st.integers(1, 50))
def test_a_constant_return_is_its_own_area_however_long_the_run(curve: Curve, more: int) -> None:
    constant = Curve(curve.x, np.full_like(curve.values, 3.5), curve.end + more)
    assert constant.area() == pytest.approx(3.5)


@given(curves(), st.lists(st.integers(0, 130), min_size=1))
def test_a_curve_is_known_from_its_first_episode_to_its_end(curve: Curve, steps: list[int]) -> None:
    for step, value in zip(steps, curve.at(np.array(steps, np.int64)), strict=True):
        if curve.x[0] <= step <= curve.end:
            assert value == curve.values[curve.x <= step][-1]
        else:
            assert np.isnan(value)


def test_without_an_episode_nothing_is_known() -> None:
    curve = Curve(np.zeros(0, np.int64), np.zeros(0), 40)
    assert curve.area() is None
    assert np.isnan(curve.at(np.array([0, 40]))).all()


def record(folder: Path, rows: list[dict[str, Any]], env_steps: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "last.json").write_text(json.dumps({"env_steps": env_steps}))
    return folder


def episode(env_steps: int, mean_100: float | None) -> dict[str, Any]:
    return {"kind": "episode", "env_steps": env_steps, "seconds": env_steps / 10, "mean_100": mean_100}


def test_a_run_is_read_from_what_it_recorded(tmp_path: Path) -> None:
    rows = [
        episode(10, 1.0),
        {"kind": "learning", "env_steps": 12, "seconds": 1.2},
        episode(20, 2.0),
        {"kind": "evaluation", "env_steps": 20, "seconds": 2.0, "mean": 7.0},
        {"kind": "evaluation", "env_steps": 25, "seconds": 2.5, "mean": 8.0},
    ]
    result = read_run(record(tmp_path / "r", rows, env_steps=40), "mine", 3)
    assert (result.arm, result.seed, result.steps, result.episodes, result.seconds) == ("mine", 3, 40, 2, 2.5)
    assert (result.final, result.area, result.evaluation) == (2.0, (1.0 * 20 + 2.0 * 20) / 40, 8.0)
    assert result.row()["folder"] == str(tmp_path / "r")


def test_what_is_no_number_is_unknown(tmp_path: Path) -> None:
    result = read_run(record(tmp_path / "r", [episode(10, 1.0), episode(20, None)], env_steps=40), "mine", 0)
    assert (result.final, result.area, result.evaluation) == (None, None, None)
    result = read_run(record(tmp_path / "none", [], env_steps=40), "mine", 0)
    assert (result.final, result.area, result.seconds, result.episodes, result.steps) == (None, None, None, 0, 40)


def test_a_folder_that_is_no_run_or_no_study_is_named(tmp_path: Path) -> None:
    with pytest.raises(FrameworkError, match=r"metrics\.jsonl"):
        read_run(tmp_path, "mine", 0)
    (tmp_path / "metrics.jsonl").touch()
    with pytest.raises(FrameworkError, match=r"last\.json"):
        read_run(tmp_path, "mine", 0)
    with pytest.raises(UsageError, match=r"is not a study folder"):
        read_study(tmp_path)
