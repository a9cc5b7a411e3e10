"""The probability of improvement against the Mann–Whitney statistic, and bands of curves against single estimates."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.study import Curve
from framework.study.improvement import Probability, probability_of_improvement
from framework.study.statistics import band, estimate, mean_curve

# few different values, so that ties occur
SIDES = st.lists(st.sampled_from([-2.0, 0.0, 0.5, 1.0, 3.0, 1e6]), min_size=2, max_size=8)


def by_hand(x: list[float], y: list[float]) -> float:
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a in x for b in y) / (len(x) * len(y))


def known(x: list[float], y: list[float]) -> Probability:
    found = probability_of_improvement(x, y)
    assert found is not None
    return found


@settings(max_examples=30)
@given(SIDES, SIDES)
def test_it_is_the_share_of_pairs_that_are_won(x: list[float], y: list[float]) -> None:
    from scipy.stats import mannwhitneyu

    found = known(x, y)
    assert found.value == pytest.approx(by_hand(x, y))
    assert found.value == pytest.approx(mannwhitneyu(x, y).statistic / (len(x) * len(y)))
    assert -1e-9 <= found.low <= found.value + 1e-9 and found.value <= found.high + 1e-9 <= 1 + 2e-9


@settings(max_examples=20)
@given(SIDES, SIDES)
def test_the_two_directions_add_up_to_one(x: list[float], y: list[float]) -> None:
    one, other = known(x, y), known(y, x)
    assert one.value + other.value == pytest.approx(1)
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low))


@settings(max_examples=20)
@given(SIDES, st.randoms())
def test_a_set_against_itself_is_a_half_in_any_order(x: list[float], order: random.Random) -> None:
    mixed = list(x)
    order.shuffle(mixed)
    found = known(x, mixed)
    assert found.value == 0.5
    assert found.low + found.high == pytest.approx(1)
    assert known(mixed, [*x, 7.0]) == known(x, [*x, 7.0])


def test_its_interval_is_that_of_every_resample() -> None:
    """Both bounds lie at the wanted quantiles of all resamples of both sides, up to the accuracy of 10,000 draws."""
    from itertools import product

    x, y = [0.0, 2.0, 5.0], [1.0, 2.0, 4.0]
    shares = [by_hand(list(a), list(b)) for a in product(x, repeat=3) for b in product(y, repeat=3)]
    found = known(x, y)
    for bound, wanted in ((found.low, 0.025), (found.high, 0.975)):
        below = np.mean([share < bound - 1e-9 for share in shares])
        up_to = np.mean([share <= bound + 1e-9 for share in shares])
        assert below - 0.006 <= wanted <= up_to + 0.006


def test_one_seed_or_an_unknown_result_has_no_probability() -> None:
    assert probability_of_improvement([1.0], [1.0, 2.0]) is None
    assert probability_of_improvement([1.0, None, 2.0], [1.0, 2.0]) is None
    assert known([3.0, 4.0], [1.0, 2.0]) == Probability(1.0, 1.0, 1.0)


def curve(values: list[float], gap: float = 10, dtype: type = np.int64) -> Curve:
    return Curve((np.arange(1, len(values) + 1) * gap).astype(dtype), np.array(values), gap * len(values))


def test_a_band_is_the_interval_of_the_estimate_at_each_place() -> None:
    curves = [curve([0.0, 1.0, 5.0]), curve([1.0, 1.0, 8.0]), curve([3.0, 2.0, 1.0]), curve([3.0, 9.0, 2.0])]
    found = band(curves, points=5)
    assert found is not None
    x, low, high = found
    for place, bottom, top in zip(x, low, high, strict=True):
        single = estimate([float(each.at(np.array([place]))[0]) for each in curves])
        assert single.low is not None and single.high is not None
        # 2,000 resamples against 10,000 of a discrete distribution
        assert bottom == pytest.approx(single.low, abs=0.7) and top == pytest.approx(single.high, abs=0.7)


@settings(max_examples=20)
@given(st.lists(st.lists(st.floats(-50, 50), min_size=3, max_size=3), min_size=3, max_size=6), st.randoms())
def test_the_order_of_the_seeds_changes_nothing(values: list[list[float]], order: random.Random) -> None:
    curves = [curve(each) for each in values]
    mixed = list(curves)
    order.shuffle(mixed)
    for one, other in zip(band(curves, 4) or (), band(mixed, 4) or (), strict=True):
        assert np.array_equal(one, other)
    assert np.allclose(mean_curve(curves, 4)[1], mean_curve(mixed, 4)[1])


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=5), st.integers(1, 6), st.sampled_from([np.int64, np.float64]))
def test_equal_seeds_are_their_own_aggregate(values: list[float], seeds: int, dtype: type) -> None:
    gap = 10 if dtype is np.int64 else 0.01
    alone = curve(values, gap, dtype)
    x, means = mean_curve([alone] * seeds, 20)
    assert x.dtype == dtype
    assert np.allclose(means, alone.at(x))
    found = band([alone] * seeds, 20)
    assert (found is None) == (seeds < 3)
    if found is not None:
        assert np.allclose(found[1], alone.at(found[0])) and np.allclose(found[2], alone.at(found[0]))


def test_hours_keep_their_fractions() -> None:
    x, means = mean_curve([curve([1.0, 3.0], 0.25, np.float64)] * 2, 3)
    assert x.tolist() == [0.25, 0.375, 0.5] and means.tolist() == [1.0, 1.0, 3.0]
    assert Curve(np.array([0.25, 0.5]), np.array([1.0, 3.0]), 1.0).area() == 2.0
    assert Curve(np.zeros(2), np.array([1.0, 3.0]), 0.0).area() == 3.0


def test_where_a_seed_is_unknown_the_aggregate_is_unknown() -> None:
    """With four seeds, a trimmed mean would drop the unknown one."""
    curves = [curve([1.0, 2.0]), curve([1.0, 2.0]), curve([1.0, 3.0]), curve([1.0, float("nan")])]
    x, means = mean_curve(curves, 2)
    assert x.tolist() == [10, 20] and means[0] == 1.0 and np.isnan(means[1])
    found = band(curves, 2)
    assert found is not None and np.isnan(found[1][1]) and np.isnan(found[2][1]) and found[1][0] == 1.0
