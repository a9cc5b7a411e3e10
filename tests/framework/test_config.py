"""Options and their files: how they are declared, how assignments and TOML are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.config import Field, Section, parse_assignment, read_toml
from framework.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b=1", ("a.b", 1)),
        ("a.b = 1e-4", ("a.b", 1e-4)),
        ("a.b=[1, 2]", ("a.b", [1, 2])),
        ("a.b=true", ("a.b", True)),
        ("a.b=plain words", ("a.b", "plain words")),
        ('a.b="x=y"', ("a.b", "x=y")),
        ("a.b=x=y", ("a.b", "x=y")),
    ],
)
def test_assignments_are_read_as_toml_or_else_as_text(text: str, expected: tuple[str, object]) -> None:
    assert parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["", "a", "a.b", "a=1", "=1"])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"section\.key=value"):
        parse_assignment(text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("a = = 1")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_toml(tmp_path / "bad.toml")
    (tmp_path / "names.toml").write_text("[run]\nplugins = 3")
    with pytest.raises(UsageError, match=r"run\.plugins must be a list of names, not 3"):
        read_toml(tmp_path / "names.toml")
    (tmp_path / "loose.toml").write_text("gamma = 1")
    with pytest.raises(UsageError, match="is outside a"):
        read_toml(tmp_path / "loose.toml")


def test_an_option_without_a_description_or_default_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"mine\.speed needs a default"):

        class Undescribed(Section, name="mine"):
            speed: int = 1

    with pytest.raises(TypeError, match=r"mine\.speed needs a default"):

        class Required(Section, name="mine"):
            speed: int = Field(description="how fast")

    for name in ("", "a.b"):
        with pytest.raises(TypeError, match="needs a section name"):

            class Misnamed(Section, name=name):
                pass

    with pytest.raises(TypeError, match="needs a section name"):

        class Nameless(Section):
            pass
