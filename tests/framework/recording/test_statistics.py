"""Statistics of episodes against numpy and exact fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from framework.events import Episode
from framework.recording import EpisodeStatistics
from framework.types import Counters

NO_EXPLORATION: Any = None
# Arrays: hypothesis draws their lengths evenly. Its lists are hardly ever longer than the window.
returns = hnp.arrays(np.float64, st.integers(1, 350), elements=st.floats(-1e6, 1e6)).map(np.ndarray.tolist)


@given(returns)
def test_figures_are_those_of_numpy(values: list[float]) -> None:
    statistics = EpisodeStatistics(NO_EXPLORATION)
    for count in range(1, len(values) + 1):
        figures = statistics.add(values[count - 1])
        assert figures.episode == count
        assert figures.raw_return == values[count - 1]
        assert figures.best == np.max(values[:count]) == statistics.best
        assert figures.mean == pytest.approx(np.mean(values[:count][-100:]), rel=1e-9, abs=1e-6)
        assert figures.mean == statistics.mean


def test_mean_is_exact_after_a_value_that_would_swallow_the_others() -> None:
    # A running sum would have lost the 0.1s: 1e17 + 0.1 - 1e17 = 0.
    statistics = EpisodeStatistics(NO_EXPLORATION)
    statistics.add(1e17)
    for _ in range(100):
        mean = statistics.add(0.1).mean
    assert mean == float(sum([Fraction(0.1)] * 100) / 100)


@pytest.mark.parametrize("values", [(math.inf, -math.inf), (math.nan, 1.0), (1e308, 1e308)])
def test_a_mean_that_does_not_exist_is_not_a_number_and_no_error(values: tuple[float, float]) -> None:
    statistics = EpisodeStatistics(NO_EXPLORATION)
    statistics.add(values[0])
    assert math.isnan(statistics.add(values[1]).mean)


@given(returns, returns)
def test_state_goes_on_where_it_was(before: list[float], after: list[float]) -> None:
    one, other = EpisodeStatistics(NO_EXPLORATION), EpisodeStatistics(NO_EXPLORATION)
    for value in before:
        one.add(value)
    other.load_state_dict(one.state_dict())
    assert (other.best, other.mean) == (one.best, one.mean)
    assert [other.add(value) for value in after] == [one.add(value) for value in after]


def test_asking_again_counts_once(scripted: Callable[..., Any]) -> None:
    statistics = EpisodeStatistics(scripted().exploration)
    first = statistics.of(Episode(1, 0, 3.0, 9), Counters(episodes=1))
    assert statistics.of(Episode(1, 0, 3.0, 9), Counters(episodes=1)) is first
    assert first.epsilon == 0.5
    second = statistics.of(Episode(2, 0, 5.0, 9), Counters(episodes=2))
    assert (second.episode, second.mean, second.best) == (2, 4.0, 5.0)


@pytest.mark.parametrize("number", [1, 4])
def test_an_episode_out_of_turn_is_an_error(scripted: Callable[..., Any], number: int) -> None:
    statistics = EpisodeStatistics(scripted().exploration)
    for count in (1, 2):
        statistics.of(Episode(count, 0, 0.0, 1), Counters(episodes=count))
    with pytest.raises(ValueError, match=f"episode {number} after episode 2"):
        statistics.of(Episode(number, 0, 0.0, 1), Counters(episodes=number))


def test_no_figures_before_the_first_episode() -> None:
    statistics = EpisodeStatistics(NO_EXPLORATION)
    assert statistics.best is None
    assert statistics.mean is None
