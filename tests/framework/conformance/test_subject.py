"""Whose options win in a composition under check, and examples that do not suit it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume
from hypothesis import strategies as st

from framework.conformance.check import NotApplicable
from framework.conformance.subject import SUITABLE, Subject
from framework.options import ReturnsOptions, RunOptions

BOUND = """
from framework.errors import UsageError
from framework.hooks import Bundle, hookimpl

@hookimpl
def bundle(names):
    if "chain" not in names:
        raise UsageError("for the chain alone")
    return Bundle(["tabular"], {"returns.gamma": 0.7})
"""


def gammas(subject: Subject) -> list[float]:
    """The discount factor on a probe and on the builder."""
    with subject.probed("ledger") as parts:
        return [parts.config[ReturnsOptions].gamma, subject.builder().config[ReturnsOptions].gamma]


def test_the_users_options_override_the_values_of_the_harness() -> None:
    names = ("tabular", "chain")
    assert gammas(Subject(names)) == [SUITABLE["returns.gamma"]] * 2
    subject = Subject(names, {"returns.gamma": 0.6, "run.num_envs": 3, "chain.length": 7})
    assert gammas(subject) == [0.6, 0.6]
    assert subject.builder().config[RunOptions].num_envs == 3


def test_the_users_options_override_those_of_a_bundle_for_one_environment(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(BOUND)
    names = (str(path), "chain")
    assert gammas(Subject(names)) == [0.7, 0.7]
    assert gammas(Subject(names, {"returns.gamma": 0.6})) == [0.6, 0.6]


def test_the_values_of_a_check_override_the_users_options() -> None:
    subject = Subject(("tabular", "chain"), {"returns.gamma": 0.6})
    assert subject.builder({"returns.gamma": 0.3}).config[ReturnsOptions].gamma == 0.3
    with subject.probed("ledger", {"returns.gamma": 0.3}) as parts:
        assert parts.config[ReturnsOptions].gamma == 0.3


def test_a_check_without_a_suitable_example_does_not_fail() -> None:
    with pytest.raises(NotApplicable, match="none of the examples"):
        Subject(("tabular", "chain")).for_all(lambda number: assume(False), number=st.integers())  # type: ignore[arg-type]
