"""Planted bugs match the code, a sample of them is caught, and they are on the page; `tox -e mutants` runs all."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from framework.conformance.check import COMPONENTS
from tests.mutants.mutant import Mutant, all_mutants, planted

ROOT = Path(__file__).parents[2]

MUTANTS = all_mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_can_be_planted(mutant: Mutant) -> None:
    spec = importlib.util.find_spec(mutant.module)
    assert spec is not None and spec.origin is not None
    source = planted(Path(spec.origin).read_text(encoding="utf-8"), mutant)
    compile(source, spec.origin, "exec")
    assert mutant.component in COMPONENTS


def test_there_are_enough_bugs_with_names_of_their_own() -> None:
    assert len(MUTANTS) >= 100
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.timeout(600)
@settings(max_examples=2, phases=[Phase.generate], derandomize=True)
@given(mutant=st.sampled_from(MUTANTS))
def test_a_sample_is_caught(mutant: Mutant) -> None:
    command = [sys.executable, "-m", "tests.mutants", mutant.name, "--first", "--jobs", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_shows_enough_bugs_and_none_that_survived() -> None:
    page = (ROOT / "docs" / "results" / "harness.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    shown = [
        mutant for mutant in MUTANTS if any(row.startswith(f"| {mutant.name.replace('_', ' ')} | ") for row in rows)
    ]
    assert len(shown) >= 100
    assert "**none**" not in page
