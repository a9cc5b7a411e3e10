"""The table, the files and the plots of a study."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from framework.recording.drawing import BLACK, BLUE, VERMILION
from framework.study import Arm, Curve, RunResult, draw_curves, draw_summary, markdown_table, summarise, write_report
from framework.study.arms import CheckedArm
from framework.study.display import StudyDisplay, steps_so_far
from framework.study.report import remarks
from framework.study.runs import Run, as_toml, folder_name


def result(arm: str, seed: int, final: float | None, evaluation: float | None = None, steps: int = 100) -> RunResult:
    ends = np.arange(10, steps + 1, 10)
    curve = Curve(ends, np.linspace(0, final, len(ends)), steps) if final is not None else Curve(ends[:0], ends[:0], 9)
    return RunResult(arm, seed, final, curve.area(), evaluation, steps, len(curve.steps), 1.5, Path("s") / arm, curve)


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


@pytest.mark.parametrize("arms", [1, 5])
def test_plots_of_what_is_unknown_single_or_many(arms: int, tmp_path: Path) -> None:
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


RUN = Run(CheckedArm("mine", ("tabular", "chain"), {}, 0, 1), 3, Path("s/mine/seed-3"))


def test_a_terminal_sees_how_far_the_running_ones_are(tmp_path: Path) -> None:
    run = replace(RUN, folder=tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"env_steps": 5}\n{"env_steps": 1234}\n{"env_st')
    file = io.StringIO()
    with StudyDisplay(9, 2, Console(file=file, force_terminal=True, width=90, _environ={})) as display:
        display.show_running([run])
        display.ended(run, "as it should")
    assert "mine, seed 3 | step 1,234" in file.getvalue()
    assert "3 of 9 | mine, seed 3 | as it should" in file.getvalue()
    assert "3/9" in file.getvalue()


def test_elsewhere_a_line_a_run(tmp_path: Path) -> None:
    file = io.StringIO()
    with StudyDisplay(2, 0, Console(file=file, force_terminal=False)) as display:
        display.show_running([RUN])
        display.ended(RUN, "as it should")
    assert file.getvalue() == "1 of 2 | mine, seed 3 | as it should\n"


def test_steps_before_there_are_any(tmp_path: Path) -> None:
    assert steps_so_far(tmp_path) == 0
    for text in ("", "\n", '{"env_st', "no json\n", "[]\n"):
        (tmp_path / "metrics.jsonl").write_text(text)
        assert steps_so_far(tmp_path) == 0
    (tmp_path / "metrics.jsonl").write_text('{"env_steps": 7, "long": "a good hundred bytes with the rest"}\n' * 100)
    assert steps_so_far(tmp_path) == 7


def test_a_run_is_the_command_of_that_name() -> None:
    from framework.config import parse_assignment

    values = {"a.b": 'x = "y", z', "a.c": None, "a.d": (1, 2), "a.e": 1e-5, "a.f": True, "a.g": "none", "a.h": "1"}
    run = replace(RUN, arm=replace(RUN.arm, values=values))
    given = [word.removeprefix("--set=") for word in run.command if word.startswith("--set=")]
    assert dict(map(parse_assignment, given)) == {"checkpoint.every": 0, **values, "a.d": [1, 2]}
    checkpointed = replace(RUN, arm=replace(RUN.arm, values={"checkpoint.every": 9}))
    assert [word for word in checkpointed.command if "checkpoint" in word] == ["--set=checkpoint.every=9"]
    assert run.command[3:5] == ["run", "--plugins=tabular,chain"]
    assert run.command[-2:] == ["--seed=3", "--run-dir=s/mine/seed-3"]
    assert run.output == Path("s/mine/seed-3.output.txt")


def test_labels_become_names_of_folders() -> None:
    assert [folder_name(label) for label in ("no per", "../a/b", "n = 3", "gym:A-v1")] == [
        "no-per",
        "-a-b",
        "n---3",
        "gym-A-v1",
    ]
    assert Arm("x", "chain").values == {}
    assert as_toml([1.5, "a"]) == '[1.5, "a"]'
