"""The runs of a study: their commands and their folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from framework.study import Arm
from framework.study.arms import CheckedArm
from framework.study.runs import Run, as_toml, folder_name

RUN = Run(CheckedArm("mine", ("tabular", "chain"), {}, 0, 1), 3, Path("s/mine/seed-3"))


def test_a_run_is_the_command_of_that_name() -> None:
    from framework.config import parse_assignment

    values = {"a.b": 'x = "y", z', "a.c": None, "a.d": (1, 2), "a.e": 1e-5, "a.f": True, "a.g": "none", "a.h": "1"}
    run = replace(RUN, arm=replace(RUN.arm, values=values))
    given = [word.removeprefix("--set=") for word in run.command if word.startswith("--set=")]
    assert dict(map(parse_assignment, given)) == {**values, "a.d": [1, 2]}
    assert run.command[3:5] == ["run", "--plugins=tabular,chain"]
    assert run.command[-2:] == ["--seed=3", "--run-dir=s/mine/seed-3"]
    assert run.output == Path("s/mine/seed-3.output.txt")


def test_a_run_with_a_checkpoint_goes_on(tmp_path: Path) -> None:
    run = replace(RUN, folder=tmp_path / "seed-3")
    run.folder.mkdir()
    assert run.command[-1] == f"--run-dir={run.folder}"
    (run.folder / "checkpoints").mkdir()
    assert run.command[1:] == ["-m", "framework.cli.child", "run", f"--resume={run.folder}"]


def test_the_checkpoints_of_a_complete_run_go_unless_its_arm_asks_for_them(tmp_path: Path) -> None:
    for values, left in (({"run.steps": 9}, False), ({"checkpoint.every": 9}, True)):
        run = replace(RUN, folder=tmp_path / str(left), arm=replace(RUN.arm, values=values))
        (run.folder / "checkpoints" / "000001").mkdir(parents=True)
        run.drop_checkpoints()
        assert run.has_checkpoint == left


def test_labels_become_names_of_folders() -> None:
    assert [folder_name(label) for label in ("no per", "../a/b", "n = 3", "gym:A-v1")] == [
        "no-per",
        "-a-b",
        "n---3",
        "gym-A-v1",
    ]
    assert Arm("x", "chain").values == {}
    assert as_toml([1.5, "a"]) == '[1.5, "a"]'
