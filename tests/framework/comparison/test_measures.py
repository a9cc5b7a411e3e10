"""The measures of runs against slow references, on every axis, and the tables, figures and JSON made of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.comparison.compare import compare
from framework.comparison.figures import figure_of
from framework.comparison.tables import differences_table, measures_table, to_json
from framework.errors import UsageError
from framework.recording.drawing import picture_of, style_of
from framework.study.results import AXES
from tests.framework.comparison.folders import write_run, write_study

RETURNS = st.lists(st.floats(-100, 100), min_size=1, max_size=130)


@settings(max_examples=30)
@given(RETURNS, st.sampled_from(sorted(AXES)), st.floats(-100, 100))
def test_measures_are_those_of_a_slow_reference(returns: list[float], x: str, threshold: float) -> None:
    with TemporaryDirectory() as place:
        found = compare([write_run(Path(place) / "r", returns)], x=x, threshold=threshold)
    (run,) = found.arms[0].runs
    gap = {"steps": 10, "frames": 20, "hours": 0.01}[x]
    counted = list(enumerate(returns, start=1))[min(100, len(returns)) - 1 :]
    assert run.final == returns[-1]
    assert run.best == max(value for _, value in counted)
    # each value holds until the next; the first also before, and the last episode ends with the run
    held = [returns[0], *returns[:-1]]
    assert run.area == pytest.approx(math.fsum(held) / len(held), rel=1e-9, abs=1e-9)
    first = next((number for number, value in counted if value >= threshold), None)
    assert run.reached == (None if first is None else pytest.approx(first * gap))


def test_a_lucky_first_episode_reaches_no_threshold(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", [1.0] + [0.0] * 98 + [0.5, 0.6])
    (measures,) = compare([run], threshold=0.55).arms[0].runs
    assert (measures.best, measures.reached) == (0.6, 1010)


def test_evaluations_have_curves_of_their_own(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", [0.0] * 4, evaluations=[5.0, 9.0, 7.0])
    found = compare([run], what="evaluation", threshold=8)
    (measures,) = found.arms[0].runs
    assert (measures.final, measures.best, measures.reached) == (7.0, 9.0, 20)
    assert measures.area == (5 * 20 + 9 * 10 + 7 * 10) / 40
    assert not found.notes


def test_a_run_without_evaluations_is_noted_and_unknown(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", evaluations=[1.0]), write_run(tmp_path / "b", seed=1)]
    found = compare(runs, what="evaluation")
    assert "arm 'tabular,chain' has no evaluation in seed 1, and no common curve" in found.notes
    (row,) = measures_table(found)[1]
    assert row[2] == "– (1 of 2 known)"
    assert picture_of(figure_of(found), "png")


def test_the_table_has_probabilities_where_there_are_seeds(tmp_path: Path) -> None:
    study = write_study(
        tmp_path / "s", {"low": {0: [1.0], 1: [2.0]}, "high": {0: [2.0], 1: [3.0]}, "broken": {0: None}}
    )
    found = compare([study], threshold=2.0)
    header, rows = measures_table(found)
    assert header == [
        *("arm", "seeds", "final", "best", "area", "environment steps to 2", "P(final > low)", "P(area > low)")
    ]
    assert [row[:3] for row in rows] == [
        ["low", "2", "1.50 (two seeds)"],
        ["high", "2", "2.50 (two seeds)"],
        ["broken", "0", "–"],
    ]
    assert [row[5] for row in rows] == ["1 of 2 runs reach it", "10 (two seeds)", "–"]
    assert rows[1][6].startswith("0.88 [")
    given = json.loads(json.dumps(to_json(found), allow_nan=False))
    (final,) = [pair for pair in given["improvement"] if pair["measure"] == "final"]
    assert (final["better"], final["than"], final["probability"]) == ("high", "low", 0.875)
    assert given["without_complete_runs"] == ["broken"]
    assert [run["reached"] for run in given["arms"][0]["runs"]] == [None, 10]
    single = compare([write_run(tmp_path / "a"), write_run(tmp_path / "b", options={"tabular.power": 0.1})])
    assert measures_table(single)[0] == ["arm", "seeds", "final", "best", "area"]
    assert differences_table(single)[1] == [["option", "tabular.power", "(absent)", "0.1"]]


def test_unknown_numbers_stay_unknown_and_json_stays_valid(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", [1.0, None])
    given = to_json(compare([run]))
    assert given["arms"][0]["final"]["interquartile_mean"] is None
    json.dumps(given, allow_nan=False)


def test_the_picture_has_every_seed_the_aggregate_and_a_band(tmp_path: Path) -> None:
    arms = {"a $x_{": {seed: [0.0, float(seed), 4.0] for seed in range(3)}, "b": {0: [1.0, 2.0]}}
    found = compare([write_study(tmp_path / "s", arms)], threshold=1.0)
    (axes,) = figure_of(found).axes
    assert len(axes.lines) == 3 + 1 + 1 + 1 + 1, "seeds and aggregates of two arms, and the threshold"
    assert len(axes.collections) == 1, "three seeds have a band, one has none"
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a $x_{ (3 seeds)", "b (1 seed)", "threshold 1"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("environment steps", "mean return of the last 100 episodes")
    thick = max(axes.lines, key=lambda line: line.get_linewidth())
    assert np.allclose(np.unique(thick.get_ydata()), [0, 1, 4])
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        assert picture_of(figure_of(found), kind).startswith(start)


def test_a_picture_of_what_cannot_be_compared_says_so(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", plugins=("tabular", "grid"))]
    (axes,) = figure_of(compare(runs)).axes
    assert "returns must not be compared" in axes.get_title(loc="left").replace("\n", " ")


def test_28_lines_look_different() -> None:
    assert len({style_of(number) for number in range(28)}) == 28


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"x": "hour"}, "--x hour: choose one of steps, frames, hours. Did you mean 'hours'?"),
        ({"what": "loss"}, "--of loss: choose one of return, evaluation"),
        ({"threshold": math.nan}, "--threshold nan: must be a finite number"),
    ],
)
def test_a_wrong_choice_is_refused(words: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        compare([write_run(tmp_path / "r")], **words)  # type: ignore[arg-type]
    assert message in str(raised.value)
