"""The time that is left is exact at a constant speed, and never told where it is not known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.recording.left import SETTLED, TimeLeft
from framework.types import Counters


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


@given(
    before=st.integers(0, 10**6),
    speed=st.floats(0.1, 1e5),
    episode_speed=st.floats(0.01, 10.0),
    seconds=st.floats(SETTLED, 1e5),
    steps=st.none() | st.integers(1, 10**9),
    episodes=st.none() | st.integers(1, 10**5),
)
def test_at_a_constant_speed_the_nearest_end_is_told(
    before: int, speed: float, episode_speed: float, seconds: float, steps: int | None, episodes: int | None
) -> None:
    clock, counters = Clock(), Counters(env_steps=before)
    left = TimeLeft(steps, episodes, clock)
    left.begin(counters)
    clock.now += seconds
    counters.env_steps += round(speed * seconds)
    counters.episodes = round(episode_speed * seconds)

    ends = []
    if steps is not None and counters.env_steps > before:
        ends.append(max(0, steps - counters.env_steps) * seconds / (counters.env_steps - before))
    if episodes is not None and counters.episodes:
        ends.append(max(0, episodes - counters.episodes) * seconds / counters.episodes)
    assert left.seconds(counters) == (pytest.approx(min(ends), rel=1e-6) if ends else None)


@pytest.mark.parametrize(
    ("made", "text"),
    [(900, "about 7 s left"), (500, "about 60 s left"), (100, "about 9 min left"), (10, "about 2 h left")],
)
def test_it_is_told_in_a_unit_that_people_read(made: int, text: str) -> None:
    clock, counters = Clock(), Counters()
    left = TimeLeft(1000, clock=clock)
    left.begin(counters)
    clock.now += 60
    counters.env_steps = made
    assert left.describe(counters) == text


@pytest.mark.parametrize("what", ["not begun", "too early", "no end", "nothing made"])
def test_nothing_is_told_before_anything_is_known(what: str) -> None:
    clock, counters = Clock(), Counters()
    left = TimeLeft(None if what == "no end" else 1000, clock=clock)
    if what != "not begun":
        left.begin(counters)
    clock.now += 1.0 if what == "too early" else 100.0
    counters.env_steps = 0 if what == "nothing made" else 10
    assert left.seconds(counters) is None
    assert left.describe(counters) == ""
