"""The random state that numpy and Python share with everybody: whether somebody used it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from framework.conformance.checks import require


@contextmanager
def unchanged(example: str) -> Iterator[None]:
    """Raise a `Violation` if it has changed in the end: who draws from it moves it on."""
    numpy_before: Any = np.random.get_state(legacy=True)  # noqa: NPY002
    python_before = random.getstate()
    yield
    numpy_after: Any = np.random.get_state(legacy=True)  # noqa: NPY002
    same = all(np.array_equal(one, other) for one, other in zip(numpy_before, numpy_after, strict=True))
    require(same, example=example, expected="numpy's global state as before", got="it has changed")
    same = python_before == random.getstate()
    require(same, example=example, expected="Python's global state as before", got="it has changed")
