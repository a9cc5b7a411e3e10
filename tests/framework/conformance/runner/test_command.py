"""What the command `check` prints, and its exit code."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from framework.conformance.runner.command import check_command
from framework.conformance.runner.planning import plan
from framework.conformance.runner.report import print_failures, print_report
from framework.conformance.runner.session import Request
from framework.errors import UsageError
from framework.spaces import FINITE

DEADLY = "import os\nos._exit(4)\n"


def test_a_list_of_a_plugin_that_dies_is_its_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(DEADLY)
    assert check_command(Request(str(path)), as_json=False, only_list=True) == 1
    assert "while it was being loaded, the composition ended the process (exit code 4)" in capsys.readouterr().out
    assert check_command(Request(str(path)), as_json=True, only_list=True) == 1
    (found,) = json.loads(capsys.readouterr().out)["failures"]
    assert (found["check"], found["owner"], found["verdict"]) == ("assembles", "the composition", "failed")
    assert found["again"] == f"python -m framework check {path} -k '^assembles$'"


def test_a_list_can_be_had_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    request = Request("tabular,chain", pattern="assembles|discount_is")
    assert check_command(request, as_json=True, only_list=True) == 0
    listed = json.loads(capsys.readouterr().out)
    (composition,) = listed["compositions"]
    assert composition["plugins"] == ["tabular", "chain"]
    assert [check["check"] for check in composition["checks"]][:2] == ["assembles", "discount_is_gamma_to_the_length"]
    assert set(composition["checks"][0]) == {"check", "component", "slot", "owner", "says"}
    assert listed["failures"] == listed["refused"] == []


@pytest.mark.parametrize("only_list", [False, True])
def test_compositions_that_are_not_checked_are_listed(only_list: bool, capsys: pytest.CaptureFixture[str]) -> None:
    request = Request("cartpole", pattern="discount_is")
    assert check_command(request, as_json=False, only_list=only_list) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "checking dqn,cartpole" in lines
    why = f"tabular needs {FINITE}; cartpole gives (4,) float32 observations"
    assert f"not checked with tabular: {why}" in lines
    check_command(request, as_json=True, only_list=only_list)
    refused = json.loads(capsys.readouterr().out)["refused"]
    assert refused == [{"plugins": ["tabular", "cartpole"], "problems": [why]}]


def test_nothing_checked_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    request = Request("tabular,chain", pattern="acting_sees_what_learning_sees")
    with pytest.raises(UsageError, match="nothing was checked"):
        check_command(request, as_json=False, only_list=False)
    assert "tabular,chain: nothing was checked, 1 not applicable" in capsys.readouterr().out
    with pytest.raises(UsageError, match="nothing was checked"):
        check_command(request, as_json=True, only_list=False)
    assert json.loads(capsys.readouterr().out)["passed"] is False


def test_lines_that_are_to_be_copied_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "a_name_that_is_as_long_as_a_terminal_is_wide_and_more.py"
    path.write_text(DEADLY)
    session = plan(Request(str(path)))
    report = io.StringIO()
    print_failures(session, Console(file=report, width=40))
    assert f"  again     python -m framework check {path} -k '^assembles$'" in report.getvalue().splitlines()


def test_names_of_checks_are_whole_in_a_narrow_terminal() -> None:
    session = plan(Request("tabular,chain", pattern="discount_is_gamma_to_the_length"))
    session.run(lambda task: None)
    report = io.StringIO()
    print_report(session, Console(file=report, width=50))
    pieces = [line[12:40].split()[0] for line in report.getvalue().splitlines()[2:-1] if line[12:40].strip()]
    assert "".join(pieces) == "discount_is_gamma_to_the_length"


def test_a_failure_is_printed_once_and_named_again_behind_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(DEADLY)
    assert check_command(Request(str(path)), as_json=False, only_list=False) == 1
    printed = capsys.readouterr().out
    assert printed.count("FAILED assembly: assembles") == 1
    assert printed.splitlines()[-1] == "  failed: assembles"
