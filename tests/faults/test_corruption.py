"""Damaged and hostile files: a version of seconds, and one of minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.corruption import corrupt
from tests.faults.runs import Recorded


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded.make(tmp_path_factory.mktemp("recorded"))


def test_damage_is_refused_or_made_good(recorded: Recorded, tmp_path: Path) -> None:
    tally = corrupt(recorded, tmp_path, 100)
    assert tally.outcomes["went on as it would have"] > 10
    assert len(tally.kinds) == 6


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_damage_is_refused_or_made_good_each_of_thousands_of_times(recorded: Recorded, tmp_path: Path) -> None:
    assert corrupt(recorded, tmp_path, 3_000, seed=1).outcomes.total() >= 3_000
