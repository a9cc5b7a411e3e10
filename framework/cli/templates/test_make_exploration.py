"""Runs every conformance check that applies to the plugin, and one example of what the plugin does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from framework.assembly.parts import Parts
from framework.testing import parametrize_with_checks
from framework.types import Counters

PLUGIN = str(Path(__file__).with_name("my_variant.py"))


@parametrize_with_checks(PLUGIN)
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_what_looks_better_is_explored_more(assembled: Callable[..., Parts]) -> None:
    values = {"exploration.start": 0.3, "exploration.final": 0.3, "my_variant.decay": 0.5}
    exploration = assembled(f"tabular,{PLUGIN},chain", values).exploration
    found = exploration.probabilities(np.array([[1.0, 3.0, 2.0]]), np.zeros(1, np.int64), Counters())
    np.testing.assert_allclose(found, [[0.1, 0.7, 0.2]])
