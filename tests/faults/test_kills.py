"""kill −9: a test that takes seconds, and one that takes minutes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.kills import survive, survives, whole_run


def test_a_killed_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    assert survives(3, whole_run(tmp_path / "whole"), tmp_path / "run", random.Random(0)) >= 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_forty_kills(tmp_path: Path) -> None:
    assert survive(40, tmp_path, seed=1)[0] >= 40
