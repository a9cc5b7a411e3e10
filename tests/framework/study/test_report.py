"""The table, the files and the plots of a study."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from framework.recording.drawing import BLACK, BLUE, VERMILION
from framework.study import Curve, RunResult, draw_curves, draw_summary, markdown_table, summarise, write_report
from framework.study.report import remarks


def result(arm: str, seed: int, final: float | None, evaluation: float | None = None, steps: int = 100) -> RunResult:
    ends = np.arange(10, steps + 1, 10)
    curve = Curve(ends, np.linspace(0, final, len(ends)), steps) if final is not None else Curve(ends[:0], ends[:0], 9)
    return RunResult(arm, seed, final, curve.area(), evaluation, steps, len(curve.x), 1.5, Path("s") / arm, curve)


RESULTS = [result(arm, seed, seed + 2.0 * (arm == "full")) for arm in ("full", "no $x_|^{") for seed in range(3)]


def shows(path: Path, colour: str) -> bool:
    """Whether some pixels have about this colour."""
    image = (imread(path)[..., :3] * 255).round().astype(int)
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return bool((np.abs(image - wanted).max(axis=2) < 12).sum() > 15)


def test_a_report_is_a_page_a_table_and_two_plots(tmp_path: Path) -> None:
    files = write_report(RESULTS, tmp_path, ["What was missing."])
    assert [file.name for file in files] == ["results.csv", "summary.md", "study.png", "curves.png"]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(file.name for file in files)
    page = (tmp_path / "summary.md").read_text()
    assert markdown_table(summarise(RESULTS)) in page
    assert "- What was missing." in page
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert (rows[2]["arm"], rows[2]["seed"], float(rows[2]["final"]), rows[2]["evaluation"]) == ("full", "2", 4.0, "")
    for name in ("study.png", "curves.png"):
        assert all(shows(tmp_path / name, colour) for colour in (BLUE, BLACK))
    assert shows(tmp_path / "study.png", VERMILION)


def test_the_table_has_every_seed_and_lines_up() -> None:
    lines = markdown_table(summarise(RESULTS)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [cell.strip() for cell in lines[2].split("|")][1:4] == ["full", "3.00 [2.00, 4.00]", "2.00, 3.00, 4.00"]
    assert r"no $x_\|^{" in lines[3], "a bar in a label would be the end of a cell"
    assert "last evaluation" not in lines[0]
    evaluated = markdown_table(summarise([*RESULTS, result("seen", 0, 1.0, evaluation=7.0)])).splitlines()
    assert "7.00 (one seed)" in evaluated[4]
    assert evaluated[3].rstrip(" |").endswith("–, –, –")


def test_runs_of_different_lengths_are_remarked() -> None:
    assert remarks(RESULTS) == []
    (remark,) = remarks([*RESULTS, result("full", 3, 1.0, steps=200)])
    assert "100 to 200 environment steps" in remark


def test_human_normalised_scores_have_columns_and_a_line_where_they_are_known() -> None:
    scored = [replace(run, evaluation=3.0, human_normalised=0.25 * run.seed) for run in RESULTS]
    plain = markdown_table(summarise(RESULTS))
    table = markdown_table(summarise(scored))
    assert "human-normalised" in table and "human-normalised" not in plain
    assert "0.000, 0.250, 0.500" in table.splitlines()[2]
    (remark,) = remarks(scored)
    assert remark.startswith("Human-normalised: ")


@pytest.mark.parametrize("arms", [1, 5])
def test_plots_show_any_number_of_arms_and_unknown_results(arms: int, tmp_path: Path) -> None:
    results = [result(f"arm {number}", 0, 1.0) for number in range(arms - 1)] + [result("none", 0, None)]
    summaries = summarise(results)
    assert draw_summary(summaries, tmp_path / "study.png").exists()
    assert draw_curves(summaries, tmp_path / "curves.png", title="a_$b^{$").exists()


def test_no_global_state_of_matplotlib(tmp_path: Path) -> None:
    script = f"""
import pathlib, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_report import RESULTS
from framework.study import write_report
write_report(RESULTS, pathlib.Path({str(tmp_path)!r}))
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
