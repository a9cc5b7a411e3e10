"""The expected maximum of equal noisy trials."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.search.overstated import expected_maximum, overstatement, scatter


def test_the_expected_maximum_is_that_of_the_tables() -> None:
    # order statistics of the normal distribution: 1/√π, 3/(2√π), and tabulated values (Harter 1961)
    known = {1: 0.0, 2: 1 / math.sqrt(math.pi), 3: 1.5 / math.sqrt(math.pi), 10: 1.53875, 100: 2.50759}
    for count, value in known.items():
        assert expected_maximum(count) == pytest.approx(value, abs=1e-5)


@given(st.integers(1, 300))
def test_more_trials_overstate_more(count: int) -> None:
    assert expected_maximum(count + 1) > expected_maximum(count)
    assert expected_maximum(count) <= math.sqrt(2 * math.log(count)) + 1e-12, "a well-known bound"


def test_it_is_what_a_simulation_shows() -> None:
    rng = np.random.default_rng(0)
    trials, seeds, sigma = 20, 3, 5.0
    excess, estimates = [], []
    for _ in range(1000):
        values = rng.normal(7.0, sigma, (trials, seeds))
        excess.append(values.mean(axis=1).max() - 7.0)
        estimates.append(overstatement([tuple(row) for row in values], trials))
    expected = sigma / math.sqrt(seeds) * expected_maximum(trials)
    assert np.mean(excess) == pytest.approx(expected, rel=0.04)
    assert np.mean(estimates) == pytest.approx(expected, rel=0.04)


def test_one_seed_says_nothing_about_the_scatter() -> None:
    assert scatter([(1.0,), (2.0,)]) is None
    assert overstatement([(1.0,), (2.0,)], 2) is None
    assert scatter([(1.0, 3.0), (2.0, 2.0)]) == pytest.approx(1.0)
    assert overstatement([(1.0, 1.0), (2.0, 2.0)], 2) == 0
