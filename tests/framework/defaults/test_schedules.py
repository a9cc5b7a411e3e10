"""Linear and exponential schedules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from framework.defaults.schedules import exponential, linear


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 10**6), st.integers(0, 10**7))
def test_both_stay_between_their_ends_and_move_one_way(start: float, final: float, h: int, t: int) -> None:
    for shape in (linear, exponential):
        now, later = shape(start, final, h, t), shape(start, final, h, t + 1)
        low, high = sorted((start, final))
        assert low - 1e-12 <= now <= high + 1e-12
        assert abs(later - final) <= abs(now - final) + 1e-12
    assert linear(start, final, h, h + t) == final
