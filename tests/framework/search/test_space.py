"""What a space is, in words and as values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.assembly.discovery import installed, resolve
from framework.config import Section
from framework.defaults import plugin as defaults
from framework.errors import UsageError
from framework.search.space import Choice, Range, Space, parse_over, parse_space

WHOLE = st.integers(-(10**6), 10**6)
NUMBERS = st.floats(-1e300, 1e300)
POSITIVE = st.floats(1e-300, 1e300)
VALUES = st.one_of(
    st.booleans(),
    WHOLE,
    NUMBERS,
    st.text("ab c,()[]'=", min_size=1),
    st.lists(st.integers(0, 99), max_size=3),
    st.none(),
)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    kind = draw(st.sampled_from(["log", "uniform", "int", "logint", "choice"]))
    if kind == "choice":
        return Choice(tuple(draw(st.lists(VALUES, min_size=2, max_size=5, unique_by=lambda v: Choice((v,)).labels))))
    if kind in ("log", "uniform"):
        low, high = sorted(
            draw(st.tuples(*[POSITIVE if kind == "log" else NUMBERS] * 2).filter(lambda t: t[0] != t[1]))
        )
        return Range(low, high, kind == "log")
    low = draw(st.integers(1, 10**6) if kind == "logint" else WHOLE)
    step = 1 if kind == "logint" else draw(st.integers(1, 100))
    return Range(low, low + step * draw(st.integers(1, 1000)), kind == "logint", step)


@given(spaces())
def test_the_text_of_a_space_is_that_space(space: Space) -> None:
    assert parse_space(str(space)) == space
    assert repr(parse_space(str(space))) == repr(space), "1, 1.0 and true are three values"


@given(spaces(), st.integers(2, 12))
def test_what_is_tried_and_what_a_grid_has_lies_in_the_space_with_its_ends(space: Space, most: int) -> None:
    for values in (space.tried, space.points(most)):
        if isinstance(space, Choice):
            assert values == space.values
            continue
        assert (values[0], values[-1]) == (space.low, space.high)
        assert list(values) == sorted(values)
        assert len(values) <= max(3, most)
        for value in values:
            assert space.low <= value <= space.high
            assert space.step is None or (isinstance(value, int) and (value - space.low) % space.step == 0)


def test_points_have_equal_distances_on_their_scale() -> None:
    assert parse_space("log(1e-4, 1e-2)").points(3) == (1e-4, 1e-3, 1e-2)
    assert parse_space("uniform(0, 1)").points(5) == (0, 0.25, 0.5, 0.75, 1)
    assert parse_space("int(1, 9, 4)").points(10) == (1, 5, 9)
    assert parse_space("logint(1, 100)").points(3) == (1, 10, 100)


def test_values_are_those_of_set() -> None:
    text = "choice(1, 1.0, true, adam, 'a, b', [64, 64], {x = 1, y = 2}, none, 1e-3)"
    expected: list[Any] = [1, 1.0, True, "adam", "a, b", [64, 64], {"x": 1, "y": 2}, None, 1e-3]
    found = parse_space(text)
    assert isinstance(found, Choice)
    assert list(map(repr, found.values)) == list(map(repr, expected))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no search space"),
        ("0.1", "is no search space"),
        ("unifrm(0, 1)", "Did you mean 'uniform'"),
        ("log(1, 2", "is no search space"),
        ("log 1, 2", "is no search space"),
        ("log(1, 2) or so", "is no search space"),
        ("log()", "1 values between the brackets"),
        ("log(1)", "1 values between the brackets"),
        ("log(1, 2, 3)", "3 values between the brackets"),
        ("uniform(a, 2)", "'a' is not a finite number"),
        ("uniform(0, inf)", "'inf' is not a finite number"),
        ("uniform(nan, 1)", "'nan' is not a finite number"),
        ("uniform(1, 1)", "the first end must lie below the second"),
        ("log(2, 1)", "the first end must lie below the second"),
        ("log(0, 1)", "only numbers above 0"),
        ("logint(-1, 1)", "only numbers above 0"),
        ("int(0.5, 2)", "'0.5' is not a whole number"),
        ("int(0, 1e30)", "'1e30' is not a whole number"),
        ("int(1, 10, 0)", "the step must be at least 1"),
        ("int(1, 10, 4)", r"steps of 4 from 1 do not reach 10: write int\(1, 9, 4\)"),
        ("int(1, 3, 9)", "choose a smaller step"),
        ("logint(1, 9, 2)", "3 values between the brackets"),
        ("choice()", "at least two values"),
        ("choice(1)", "at least two values"),
        ("choice(1,,2)", "at least two values"),
        ("choice(1, 2, 1)", "1 more than once"),
    ],
)
def test_a_bad_space_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_space(text)


def test_all_bad_options_are_named_at_once() -> None:
    declared = {"dqn.learning_rate": parse_space("log(1e-4, 1e-2)")}
    bad = ["learning_rate=log(1,2)", "a.b=log(0,1)", "dqn.learning_rat", "a.c=int(1,2)", "a.c=int(1,3)"]
    found, (named, log, near, twice) = parse_over(bad, declared)
    assert found == {"a.c": Range(1, 2, step=1)}
    assert "--over learning_rate=log(1,2): write it as section.key=SPACE" in named
    assert "only numbers above 0" in log
    assert "Did you mean 'dqn.learning_rate'?" in near
    assert "searched twice" in twice
    found, problems = parse_over(["dqn.learning_rate", "a.b = choice(x, y)"], declared)
    assert (found, problems) == ({**declared, "a.b": Choice(("x", "y"))}, [])


def shipped_sections() -> dict[str, type[Section]]:
    plugins = [defaults, *(resolve(name)[1] for name in installed() if name not in ("wandb", "mlflow"))]
    found = [section for plugin in plugins for section in getattr(plugin, "config_sections", list)()]
    return {section.section_name: section for section in found}


def test_every_declared_space_is_accepted_by_its_option() -> None:
    sections = shipped_sections()
    searched = 0
    for name, section in sections.items():
        for key, text in section.searched.items():
            owner, _, option = (key if "." in key else f"{name}.{key}").partition(".")
            for value in parse_space(text).tried:
                sections[owner].model_validate({option: value})
                searched += 1
    assert searched > 30
    assert {"dqn", "tabular", "target", "exploration", "nstep", "polyak", "per"} <= {
        name for name, section in sections.items() if section.searched
    }


def test_a_declared_space_of_no_option_is_an_error_of_the_plugin() -> None:
    with pytest.raises(TypeError, match=r"mine\.searched names 'rat', which is no option of mine"):
        type("Mine", (Section,), {}, name="mine", searched={"rat": "log(1, 2)"})
