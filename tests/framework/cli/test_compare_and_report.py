"""What the commands `compare` and `report` print and write, and that they import no plugin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from framework.cli.app import app
from tests.framework.comparison.folders import write_run, write_study
from tests.framework.report.pages import read_page


def printed(*words: str | Path) -> tuple[str, str]:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def test_compare_prints_tables_and_writes_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(Path("a"), options={"tabular.power": 0.1})
    write_run(Path("b"), options={"tabular.power": 0.2})
    out, err = printed("compare", "a", "b")
    assert "| tabular,chain (tabular.power=0.1) | 1     | 2.00 (one seed) |" in out
    assert "| option  | tabular.power |" in out
    assert out.endswith("wrote comparison.png\n") and not err
    assert Path("comparison.png").read_bytes().startswith(b"\x89PNG")
    printed("compare", "a", "--to", "other.SVG")
    assert "<svg" in Path("other.SVG").read_text()
    assert sorted(path.name for path in Path().iterdir()) == ["a", "b", "comparison.png", "other.SVG"]


def test_json_is_all_that_is_printed(tmp_path: Path) -> None:
    study = write_study(tmp_path / "s", {"one": {0: [1.0], 1: [2.0]}, "other": {0: [1.0], 1: [None]}})
    out, _ = printed("compare", study, "--json", "--to", tmp_path / "p.png")
    given = json.loads(out)
    assert [arm["label"] for arm in given["arms"]] == ["one", "other"]
    assert given["arms"][1]["final"]["interquartile_mean"] is None
    assert given["picture"] == str(tmp_path / "p.png")


def test_other_environments_are_warned_of_before_the_table(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", plugins=("tabular", "grid"))]
    command = [sys.executable, "-m", "framework", "compare", *runs, "--to", tmp_path / "p.png"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    assert done.stdout.startswith("warning: returns must not be compared, because the environment is chain")


def test_report_writes_a_page(tmp_path: Path) -> None:
    run = write_run(tmp_path / "[/a]")
    out, err = printed("report", run, "--to", tmp_path / "page.html", "--no-film")
    size = (tmp_path / "page.html").stat().st_size / 1e6
    assert out.splitlines()[-1] == f"wrote {tmp_path / 'page.html'} ({size:.1f} MB)" and 4 < size < 6
    assert err == "tabular,chain: 1 run\n"
    read_page((tmp_path / "page.html").read_text(encoding="utf-8"))


def test_neither_imports_a_plugin_or_torch(tmp_path: Path) -> None:
    """So a run can be compared where its plugins are not installed."""
    runs = [write_run(tmp_path / name, plugins=("not_installed", "chain"), seed=seed) for seed, name in enumerate("ab")]
    script = f"""
import sys
from typer.testing import CliRunner
from framework.cli.app import app
before = {{name.partition(".")[0] for name in sys.modules}}
assert not before & {{"scipy", "matplotlib", "numpy", "jinja2", "plotly"}}, "starting a command imports none of them"
for words in (["compare", "--to", "p.png"], ["report", "--no-film", "--to", "p.html"]):
    done = CliRunner().invoke(app, [*words, *{[str(run) for run in runs]}], catch_exceptions=False)
    assert done.exit_code == 0, done.output
assert not {{name.partition(".")[0] for name in sys.modules}} & {{"torch", "plugins", "envs"}}
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
