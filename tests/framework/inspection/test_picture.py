"""Whatever an environment draws becomes bytes with three colours, or is refused with its shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from framework.errors import UsageError
from framework.inspection.picture import as_picture

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5), st.sampled_from([None, 1, 3, 4])).map(
    lambda shape: shape if shape[2] is not None else shape[:2]
)


@given(arrays.arrays(np.uint8, SHAPES))
def test_bytes_stay_what_they_are(drawn: np.ndarray) -> None:
    picture = as_picture(drawn)
    colours = drawn[..., None] if drawn.ndim == 2 else drawn[..., :3]
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, np.broadcast_to(colours, picture.shape))
    assert not np.shares_memory(picture, drawn)


@given(arrays.arrays(np.uint8, (3, 4, 3)), st.sampled_from([np.float32, np.float64, np.int64, np.uint16]))
def test_other_types_are_the_same_numbers(drawn: np.ndarray, dtype: type) -> None:
    drawn.flat[0] = 200  # so that floats are not from 0 to 1
    np.testing.assert_array_equal(as_picture(drawn.astype(dtype)), drawn)


@given(arrays.arrays(np.uint8, (3, 4, 3)))
def test_floats_up_to_1_are_shares(drawn: np.ndarray) -> None:
    np.testing.assert_array_equal(as_picture(drawn / 255), drawn)


def test_truth_is_black_and_white() -> None:
    np.testing.assert_array_equal(as_picture(np.eye(3, dtype=bool))[..., 0], 255 * np.eye(3))


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2), (2, 2, 5), (0, 4, 3), (1, 2, 3, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="draws pictures of shape"):
        as_picture(np.zeros(shape, np.uint8))
