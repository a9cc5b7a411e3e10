"""Schedules: shapes, and horizons that are a share of the run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.defaults.schedules import exponential, linear, over_the_run, planned, with_share
from framework.options import ExplorationOptions, RunOptions
from framework.types import Counters

lengths = st.none() | st.integers(1, 10**7)
shares = st.floats(0, 1)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 10**6), st.integers(0, 10**7))
def test_both_stay_between_their_ends_and_move_one_way(start: float, final: float, h: int, t: int) -> None:
    for shape in (linear, exponential):
        now, later = shape(start, final, h, t), shape(start, final, h, t + 1)
        low, high = sorted((start, final))
        assert low - 1e-12 <= now <= high + 1e-12
        assert abs(later - final) <= abs(now - final) + 1e-12
    assert linear(start, final, h, h + t) == final


@given(lengths, lengths)
def test_schedules_are_planned_for_the_steps_unless_another_length_is_given(a: int | None, b: int | None) -> None:
    assert planned(RunOptions(steps=a, planned=b)) == (a if b is None else b)


@given(lengths, st.floats(1e-6, 1), shares, st.integers(0, 10**7))
def test_over_the_run_starts_and_ends_with_the_run(steps: int | None, start: float, left: float, now: int) -> None:
    value = over_the_run(RunOptions(steps=steps), start, start * left)
    assert value(Counters()) == start
    if steps is None:
        assert value(Counters(env_steps=now)) == start
        return
    assert value(Counters(env_steps=steps + now)) == start * left
    done = min(now, steps) / steps
    assert value(Counters(env_steps=now, episodes=7)) == pytest.approx(start * ((1 - done) + done * left), rel=1e-9)


@given(lengths, shares, st.integers(1, 10**6))
def test_a_share_replaces_the_horizon_only_where_the_run_has_a_length(
    steps: int | None, share: float, horizon: int
) -> None:
    given_options = ExplorationOptions(share=share, horizon=horizon, unit="updates", start=0.9, final=0.1)
    options = with_share(given_options, RunOptions(steps=steps))
    if steps is None or not share:
        assert options == given_options
        return
    assert options.unit == "env_steps"
    assert abs(options.horizon - max(share * steps, 1)) <= 0.5
    assert options.model_copy(update={"horizon": horizon, "unit": "updates"}) == given_options, "nothing else changes"
