"""System calls that fail or kill the process: a few of them in seconds, more of them in minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.injection import STRACE, Fault, counted, faults, inject, inject_all
from tests.faults.runs import Recorded, without_figures

pytestmark = pytest.mark.skipif(STRACE is None, reason="there is no strace here, which makes calls of the system fail")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded.make(tmp_path_factory.mktemp("recorded"))


@pytest.mark.parametrize("fault", [Fault("fsync", 5, "ENOSPC"), Fault("rename", 3, "SIGKILL")], ids=str)
def test_a_fault_strikes_and_the_run_goes_on(fault: Fault, recorded: Recorded, tmp_path: Path) -> None:
    with without_figures():
        found = inject(recorded, fault, tmp_path)
    assert found.struck
    assert found.code != 0


def test_every_call_has_its_turn(recorded: Recorded, tmp_path: Path) -> None:
    counts = counted(recorded, tmp_path)
    assert counts["fsync"] > 10 and counts["rename"] > 5 and counts["link"] > 3
    assert len(list(faults(counts, ("EIO", "SIGKILL")))) == 2 * sum(counts.values())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_fourth_call(recorded: Recorded, tmp_path: Path) -> None:
    found = inject_all(recorded, tmp_path, ("ENOSPC", "SIGKILL"), every=4)
    assert sum(one.struck for one in found) > 0.9 * len(found) > 40
