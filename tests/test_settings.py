"""No test depends on the clock through hypothesis: `tests/conftest.py` alone says that examples have no deadline."""

from __future__ import annotations

import ast
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

TESTS = Path(__file__).parent


def sets_a_deadline(source: str) -> bool:
    """Whether any call in a file has an argument `deadline`."""
    return any(isinstance(node, ast.keyword) and node.arg == "deadline" for node in ast.walk(ast.parse(source)))


def test_no_test_file_sets_a_deadline() -> None:
    files = [path for path in sorted(TESTS.rglob("*.py")) if path != TESTS / "conftest.py"]
    assert len(files) > 100
    assert [str(path) for path in files if sets_a_deadline(path.read_text(encoding="utf-8"))] == []


def test_a_deadline_would_be_found() -> None:
    assert sets_a_deadline("@settings(max_examples=3, deadline=None)\ndef test_it(): ...")
    assert not sets_a_deadline("deadline = 3")


@given(st.integers())
def test_the_loaded_profile_has_no_deadline(number: int) -> None:
    assert settings.default is not None
    assert settings.default.deadline is None
    assert settings(max_examples=3).deadline is None
