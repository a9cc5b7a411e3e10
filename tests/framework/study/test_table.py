"""The table of a study while it runs."""

from __future__ import annotations

import csv
from pathlib import Path

import framework
from framework.study.arms import CheckedArm
from framework.study.runs import runs_of
from framework.study.table import Table


def rows_of(folder: Path) -> list[tuple[str, int, int]]:
    with (folder / "results.csv").open(newline="") as file:
        return [(row["arm"], int(row["seed"]), int(row["episodes"])) for row in csv.DictReader(file)]


def test_the_table_has_each_run_as_soon_as_it_ends_in_the_order_of_the_arms(tmp_path: Path) -> None:
    arms = [CheckedArm(label, ("tabular", "chain"), {}, 0, 1) for label in ("b", "a")]
    runs = runs_of(arms, [1, 0], tmp_path)
    table, seen = Table(tmp_path, runs), list[tuple[str, int, int]]()
    assert not (tmp_path / "results.csv").exists()
    for episodes, run in enumerate(runs, start=1):
        framework.train(
            framework.assemble("tabular,chain", {"run.seed": run.seed, "run.episodes": episodes}), run.folder
        )
        assert not run.is_complete
        table.add(run)
        assert run.is_complete
        seen.append((run.arm.label, run.seed, episodes))
        assert rows_of(tmp_path) == sorted(seen, key=lambda row: ("ba".index(row[0]), row[1]))
    (tmp_path / "results.csv").unlink()
    assert Table(tmp_path, runs).results() == table.results(), "a study that continues reads them"
    assert len(rows_of(tmp_path)) == 4
