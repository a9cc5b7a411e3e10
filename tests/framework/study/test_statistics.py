"""The interquartile mean against a mean by hand, and its interval against all resamples."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.study import Curve, RunResult, estimate, interquartile_mean, summarise
from framework.study.statistics import mean_curve, shown

VALUES = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=1, max_size=12)


def by_hand(values: list[float]) -> float:
    cut = len(values) // 4
    kept = sorted(values)[cut : len(values) - cut]
    return sum(kept) / len(kept)


def result(arm: str, seed: int, final: float | None, evaluation: float | None = None) -> RunResult:
    curve = Curve(np.array([5, 10]), np.array([0.0, final or 0.0]), 10)
    return RunResult(arm, seed, final, final, evaluation, 10, 2, 1.0, Path("r"), curve)


@given(VALUES)
def test_the_interquartile_mean_is_that_of_the_middle_half(values: list[float]) -> None:
    assert interquartile_mean(values) == pytest.approx(by_hand(values), rel=1e-9, abs=1e-6)


@settings(max_examples=30)
@given(VALUES, st.randoms())
def test_an_estimate_holds_its_value_and_does_not_depend_on_the_order(values: list[float], random: object) -> None:
    found = estimate(values)
    assert found.value == pytest.approx(by_hand(values), rel=1e-9, abs=1e-6)
    if len(values) >= 3 and len(set(values)) > 1:
        assert found.low is not None and found.high is not None
        assert min(values) - 1e-6 <= found.low <= found.high <= max(values) + 1e-6
    else:
        assert (found.low, found.high) == (None, None)
    random.shuffle(values)  # type: ignore[attr-defined]
    assert estimate(values) == found


@pytest.mark.parametrize("values", [[0.0, 1.0, 5.0], [1.0, 2.0, 4.0, 8.0], [0.0, 0.0, 3.0, 4.0, 11.0]])
def test_the_interval_is_that_of_every_resample(values: list[float]) -> None:
    """Its bounds are the 2.5 and 97.5 % quantiles of all n^n resamples, up to the accuracy of 10,000 draws."""
    means = np.array([by_hand(list(resample)) for resample in itertools.product(values, repeat=len(values))])
    found = estimate(values)
    assert found.low is not None and found.high is not None
    for bound, wanted in ((found.low, 0.025), (found.high, 0.975)):
        below, up_to = (means < bound - 1e-9).mean(), (means <= bound + 1e-9).mean()
        assert below - 0.006 <= wanted <= up_to + 0.006, "four standard deviations of the fraction"


def test_an_estimate_without_an_interval_says_why() -> None:
    assert str(estimate([1.5])) == "1.50 (one seed)"
    assert str(estimate([1.5, 2.5])) == "2.00 (two seeds)"
    assert str(estimate([-21.0, -21.0, -21.0])) == "-21.00 (all equal)"
    assert str(estimate([1.0, None, 2.0])) == "– (2 of 3 known)"
    assert str(estimate([])) == "– (0 of 0 known)"
    assert str(estimate([0.0, 3.0, 6.0])) == "3.00 [0.000, 6.00]"
    assert [shown(value) for value in (12_345.6, 123.45, None)] == ["12,346", "123.5", "–"]


def test_arms_are_summarised_in_their_order_and_runs_by_seed() -> None:
    results = [result("b", 1, 2.0), result("a", 0, 5.0, evaluation=4.0), result("b", 0, 1.0)]
    first, second = summarise(results)
    assert (first.arm, [run.seed for run in first.runs], first.final.value) == ("b", [0, 1], 1.5)
    assert first.evaluation is None
    assert second.evaluation is not None and second.evaluation.value == 4.0


def test_the_mean_curve_is_known_where_all_curves_are() -> None:
    one = Curve(np.array([2, 6]), np.array([0.0, 2.0]), 10)
    other = Curve(np.array([4]), np.array([10.0]), 8)
    steps, means = mean_curve([one, other])
    assert (steps[0], steps[-1]) == (4, 8)
    assert dict(zip(steps.tolist(), means.tolist(), strict=True)) == {4: 5.0, 5: 5.0, 6: 6.0, 7: 6.0, 8: 6.0}
    late = Curve(np.array([9]), np.array([1.0]), 9)
    for nothing in ([], [late, other], [one, Curve(np.zeros(0, np.int64), np.zeros(0), 9)]):
        assert len(mean_curve(nothing)[0]) == 0
