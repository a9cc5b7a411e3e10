"""An animation is small, keeps its speed, and shows the pictures in their order."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from framework.inspection.animation import MOST, SIDE, Animation


def picture(number: int, shape: tuple[int, int] = (16, 24)) -> np.ndarray:
    return np.full((*shape, 3), number % 251, np.uint8)


@settings(max_examples=15)
@given(count=st.integers(1, 3 * MOST), rate=st.sampled_from([4.0, 15.0, 50.0]))
def test_the_film_keeps_its_speed_and_its_order(count: int, rate: float) -> None:
    animation = Animation()
    for number in range(count):
        animation.add(picture(number), rate)
    film = Image.open(io.BytesIO(animation.gif()))
    shown, seconds = [], 0.0
    for frame in ImageSequence.Iterator(film):
        shown.append(int(np.asarray(frame.convert("RGB"))[0, 0, 0]))
        seconds += frame.info["duration"] / 1000

    stride = next(n for n in (1, 2, 4, 8) if len(range(0, count, n)) <= MOST)
    assert shown == [number % 251 for number in range(0, count, stride)]
    # a GIF counts hundredths of a second
    assert seconds == pytest.approx(len(shown) * stride / rate, abs=0.01)


def test_large_pictures_become_small_and_all_have_one_size() -> None:
    animation = Animation()
    for shape in ((400, 600), (300, 300), (10, 20)):
        animation.add(picture(9, shape), 10.0)
    assert animation.size == (SIDE * 400 // 600, SIDE)
    film = Image.open(io.BytesIO(animation.gif()))
    assert film.size == (SIDE, SIDE * 400 // 600)


def test_without_a_picture_there_is_no_size() -> None:
    assert Animation().size == (0, 0)
