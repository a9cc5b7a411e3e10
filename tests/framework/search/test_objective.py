"""The objective of a run is computed from what the run wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framework.errors import FrameworkError
from framework.search.objective import objective_of


def write(folder: Path, *evaluations: tuple[int, float | None]) -> Path:
    rows = [{"kind": "evaluation", "env_steps": step, "mean": mean} for step, mean in evaluations]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.mark.parametrize(
    ("name", "expected"),
    [("last", (2.0 + 3.0 + 7.0) / 3), ("best", 7.0)],
)
def test_a_confirmation_stands_in_the_place_of_what_it_confirms(tmp_path: Path, name: str, expected: float) -> None:
    run = write(tmp_path, (10, 1.0), (20, 2.0), (30, 3.0), (40, 9.0), (40, 7.0))
    assert objective_of(run, name) == pytest.approx(expected)


@pytest.mark.parametrize("evaluations", [(), ((10, 1.0), (20, None))])
def test_without_evaluations_there_is_none(tmp_path: Path, evaluations: tuple[tuple[int, float | None], ...]) -> None:
    with pytest.raises(FrameworkError, match="there is no objective 'last'"):
        objective_of(write(tmp_path, *evaluations), "last")
