"""Damaged and hostile files: a test that takes seconds, and one that takes minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.corruption import corrupt
from tests.faults.runs import Recorded


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded.make(tmp_path_factory.mktemp("recorded"))


def test_damage_is_refused_or_made_good(recorded: Recorded, tmp_path: Path) -> None:
    tally = corrupt(recorded, tmp_path, 60)
    assert tally.outcomes["went on as it would have"] > 5
    assert len(tally.kinds) == 6


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_damage_is_refused_or_made_good_each_of_thousands_of_times(recorded: Recorded, tmp_path: Path) -> None:
    assert corrupt(recorded, tmp_path, 3_000, seed=1).outcomes.total() >= 3_000


def test_without_verification_damage_is_noticed(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge can fail: it finds out that checksums always agree."""
    monkeypatch.setattr("framework.recording.states._checksum", lambda arrays, scalars: ALWAYS)
    monkeypatch.setattr("framework.checkpoints.manifest.Manifest.verify", lambda manifest, folder: None)
    with pytest.raises((AssertionError, ExceptionGroup)):
        corrupt(recorded, tmp_path, 300, shrink=False)


class _Always(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


ALWAYS = _Always()
