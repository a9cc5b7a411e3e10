"""Options: where values come from, which one wins, and what a wrong one says."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.assembly.configuration import configure
from framework.config import Field, Section, Source, parse_assignment, read_toml
from framework.errors import UsageError
from framework.options import ReturnsOptions


def settle(values: dict[str, object], label: str = "--set", names: str = "tabular,chain") -> dict[str, object]:
    return configure(names, [Source(label, values)])[1].flat()


def test_each_source_beats_the_weaker_ones() -> None:
    named = "tabular,chain"
    default = configure(named)[1]
    assert default.sources["returns.gamma"] == "recommended by chain"
    assert default.flat()["evaluation.every"] == 0
    layered = configure(
        named, [Source("file a.toml", {"returns.gamma": 0.5, "run.seed": 3}), Source("--set", {"returns.gamma": 0.7})]
    )[1]
    assert layered[ReturnsOptions].gamma == 0.7
    assert layered.sources["returns.gamma"] == "--set"
    assert layered.sources["run.seed"] == "file a.toml"


def test_an_end_that_the_user_names_replaces_the_recommended_ones() -> None:
    assert settle({})["run.episodes"] == 100
    assert settle({"run.steps": 5})["run.episodes"] is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"returns.gama": 1}, "returns.gama (from --set): 'returns' has no option 'gama'. Did you mean 'gamma'?"),
        ({"retruns.gamma": 1}, "no loaded plugin has a section 'retruns'. Did you mean 'returns'?"),
        ({"dqn.hidden": 1}, "no loaded plugin has a section 'dqn'."),
        ({"gamma": 1}, "write it as section.key=value"),
        ({"returns.gamma": "high"}, "returns.gamma = 'high' (from --set): Input should be a valid number"),
        ({"returns.gamma": 1.5}, "returns.gamma = 1.5 (from --set): Input should be less than or equal to 1"),
        ({"returns.gamma": float("nan")}, "returns.gamma = nan (from --set): Input should be a finite number"),
        ({"exploration.unit": "days"}, "exploration.unit = 'days' (from --set): Input should be 'env_steps'"),
        ({"chain.length": 2}, "chain.length = 2 (from --set)"),
    ],
)
def test_a_wrong_value_is_named_with_its_source(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        settle(values)
    assert any(message in problem for problem in caught.value.problems), caught.value.problems


def test_all_wrong_values_are_reported_together() -> None:
    with pytest.raises(UsageError) as caught:
        settle({"returns.gamma": 2, "run.seed": -1, "run.sede": 1})
    assert len(caught.value.problems) == 3


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


def test_none_unsets_and_a_stronger_end_replaces_a_weaker_one_whatever_its_source() -> None:
    assert settle({"run.episodes": None})["run.episodes"] is None
    assert parse_assignment("run.until=none") == ("run.until", None)
    file, flag = Source("file", {"run.episodes": 100}), Source("command line", {"run.steps": 5})
    flat = configure("tabular,chain", [file, flag])[1].flat()
    assert (flat["run.episodes"], flat["run.steps"]) == (None, 5)


def test_without_evaluations_no_recommended_evaluation_ends_the_run() -> None:
    assert settle({}, names="dqn,pong")["run.until"] == 18
    assert settle({"evaluation.every": 0}, names="dqn,pong")["run.until"] is None


@pytest.mark.parametrize("text", ["", "a", "a.b", "a=1", "=1"])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"section\.key=value"):
        parse_assignment(text)


@given(gamma=st.floats(0, 1), seed=st.integers(0, 2**63 - 1), horizon=st.integers(1, 10**9), start=st.floats(0, 1))
def test_a_configuration_survives_its_own_toml(gamma: float, seed: int, horizon: int, start: float) -> None:
    values = {"returns.gamma": gamma, "run.seed": seed, "exploration.horizon": horizon, "exploration.start": start}
    config = configure("tabular,chain", [Source("x", values)])[1]
    document = tomllib.loads(config.to_toml(config.flat()))
    flat = {f"{name}.{key}": value for name, table in document.items() for key, value in table.items()}
    again = configure("tabular,chain", [Source("y", flat)])[1]
    assert again.flat() == config.flat()


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
    with pytest.raises(UsageError, match="stands outside a"):
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
