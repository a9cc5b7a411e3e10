"""The notebook of the tour runs from its first cell to its last, as a reader would run it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.pages import DOCS

NOTEBOOK = DOCS / "tour.ipynb"


def cells(kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == kind]


def run(cell: str, names: dict[str, Any]) -> None:
    """Run a cell. A line that begins with "!" is a command of the shell, in which {…} is Python."""
    if not cell.startswith("!"):
        exec(compile(cell, NOTEBOOK.name, "exec"), names)
        return
    command = eval("f" + repr(cell[1:]), names)
    done = subprocess.run(shlex.split(command), capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a notebook's pictures stay open
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"sys": sys}
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # so that the variable is read again
    for cell in [*cells("code"), *cells("code")]:  # a reader may run all cells a second time
        run(cell, names)
    assert not (tmp_path / "runs").exists()
    shown = capsys.readouterr().out
    assert "mean 2.00 ± 0.00 over 20 episodes" in shown
    assert "values of the best action: [1.62 1.8  2.  ]" in shown
    assert shown.count(" passed") >= 2 and "FAILED" not in shown
    assert len(list(tmp_path.glob("*/runs/network/learning.png"))) == 2


def test_the_notebook_is_saved_without_results() -> None:
    saved = json.loads(NOTEBOOK.read_text())
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in saved["cells"] if "outputs" in cell)
