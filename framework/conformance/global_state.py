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
    """Raise a `Violation` if it has changed in the end: who draws from it moves it on. It is put back in any case.

    It starts from where nobody else would put it, so that who sets it to the same state time and again is found, too.
    """
    kept: Any = np.random.get_state(legacy=True)  # noqa: NPY002
    kept_by_python = random.getstate()
    before: Any = np.random.RandomState(918_273_645).get_state(legacy=True)
    before_in_python = random.Random(918_273_645).getstate()  # noqa: S311
    np.random.set_state(before)  # noqa: NPY002
    random.setstate(before_in_python)
    try:
        yield
        after: Any = np.random.get_state(legacy=True)  # noqa: NPY002
        for name, same in (
            ("numpy", all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))),
            ("Python", before_in_python == random.getstate()),
        ):
            require(same, example=example, expected=f"{name}'s global random state as before", got="it has changed")
    finally:
        np.random.set_state(kept)  # noqa: NPY002
        random.setstate(kept_by_python)
