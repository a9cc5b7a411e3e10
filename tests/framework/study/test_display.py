"""What a terminal, or a file, shows while a study runs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from framework.study.arms import CheckedArm
from framework.study.display import StudyDisplay, steps_so_far
from framework.study.runs import Run

RUN = Run(CheckedArm("mine", ("tabular", "chain"), {}, 0, 1), 3, Path("s/mine/seed-3"))


def test_a_terminal_shows_how_far_the_runs_are(tmp_path: Path) -> None:
    run = replace(RUN, folder=tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"env_steps": 5}\n{"env_steps": 1234}\n{"env_st')
    file = io.StringIO()
    with StudyDisplay(9, 2, Console(file=file, force_terminal=True, width=90, _environ={})) as display:
        display.show_running([run])
        display.ended(run, "as it should")
    assert "mine, seed 3 | step 1,234" in file.getvalue()
    assert "3 of 9 | mine, seed 3 | as it should" in file.getvalue()
    assert "3/9" in file.getvalue()


def test_without_a_terminal_each_run_is_a_line(tmp_path: Path) -> None:
    file = io.StringIO()
    with StudyDisplay(2, 0, Console(file=file, force_terminal=False)) as display:
        display.show_running([RUN])
        display.ended(RUN, "as it should")
    assert file.getvalue() == "1 of 2 | mine, seed 3 | as it should\n"


def test_without_a_readable_row_there_are_no_steps(tmp_path: Path) -> None:
    assert steps_so_far(tmp_path) == 0
    for text in ("", "\n", '{"env_st', "no json\n", "[]\n"):
        (tmp_path / "metrics.jsonl").write_text(text)
        assert steps_so_far(tmp_path) == 0
    (tmp_path / "metrics.jsonl").write_text('{"env_steps": 7, "long": "a good hundred bytes with the rest"}\n' * 100)
    assert steps_so_far(tmp_path) == 7
