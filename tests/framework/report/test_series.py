"""The lines of the panels against what the rows say, however many there are, and the thinned pictures of a film."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.comparison.compare import compare
from framework.report.film import Thinned
from framework.report.series import POINTS, RATES, Line, panels
from framework.report.static import panels_figure
from tests.framework.comparison.folders import write_run


def lines(run: Path, x: str = "steps") -> list[tuple[Line, ...]]:
    found = compare([run], x=x)
    return [panel.lines for panel in panels(found.arms[0], found)]


def test_many_rows_become_few_points(tmp_path: Path) -> None:
    rows = 1700
    run = write_run(tmp_path / "r", [float(number) for number in range(rows)], learning=True)
    (singles, mean), _, (loss,), values, gradient, (epsilon,), (speed,) = lines(run)
    assert (values, gradient) == ((), ()), "rows of older runs have none"
    assert len(singles.x) <= POINTS and singles.name == "single episodes, one of 4"
    assert [y for x, y in zip(singles.x, singles.y, strict=True)] == [float(n) for n in range(0, rows, 4)]
    assert len(mean.x) <= POINTS and all(y == x // 10 - 1 for x, y in zip(mean.x, mean.y, strict=True))
    # the loss of row n is 1/n: each point is the mean of four
    assert loss.x[0] == 40 and loss.y[0] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert set(epsilon.y) == {0.5}
    assert len(speed.x) <= RATES + 1 and np.allclose(speed.y, 10 / 36)


def test_places_are_those_of_the_axis(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", [1.0, 2.0], evaluations=[5.0, 6.0])
    for x, ends in (("steps", [10, 20]), ("frames", [20, 40]), ("hours", [0.01, 0.02])):
        assert lines(run, x)[1][0].x == pytest.approx(ends)


def test_what_is_unknown_or_absent_is_not_drawn(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", [None, 1.0])
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        row["epsilon"] = None
        row["seconds"] = 0.0
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = compare([run])
    (singles, mean), evaluations, loss, _, _, epsilon, speed = lines(run)
    assert math.isnan(singles.y[0]) and math.isnan(mean.y[0])
    assert (evaluations, loss, epsilon, speed) == ((), (), (), ())
    figure = panels_figure(panels(found.arms[0], found), "environment steps")
    assert figure is not None and len(figure.axes) == 1
    empty = compare([write_run(tmp_path / "empty", [])])
    assert panels_figure(panels(empty.arms[0], empty), "environment steps") is None


@given(st.integers(0, 700), st.integers(2, 12))
def test_a_film_is_thinned_evenly(count: int, most: int) -> None:
    kept = Thinned(most)
    for number in range(count):
        kept.add(np.full((1, 1, 3), number % 256, np.uint8))
    steps = [step for step, _ in kept.chosen()]
    assert len(steps) == min(count, most) and len(set(steps)) == len(steps)
    assert all(picture[0, 0, 0] == step % 256 for step, picture in kept.chosen())
    if count >= 2:
        assert (steps[0], steps[-1]) == (0, count - 1)
        gaps = np.diff(steps)
        assert gaps.max() <= 1.5 * (count - 1) / (len(steps) - 1) + 1
