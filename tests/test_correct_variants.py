"""The correct plugins of independent authors (`tests/mutants/correct`): each of them runs, and no check accuses it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from framework.assembly.assemble import assemble_tolerantly
from framework.config import Source
from framework.conformance.runner.collection import collect
from framework.conformance.subject import Subject
from framework.training.loop import Loop
from tests.accusing import WHOLE, accused, checks_of
from tests.mutants.correct_compositions import independent_plugins

COMPOSITIONS = {Path(plugins.partition(",")[0]).stem: plugins for plugins in independent_plugins()}
"""The composition of each plugin, by the name of its file."""


@cache
def subject_of(name: str) -> Subject:
    return Subject(tuple(COMPOSITIONS[name].split(",")))


def test_there_are_enough_of_them() -> None:
    assert len(COMPOSITIONS) >= 7


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_it_keeps_to_the_protocols(name: str) -> None:
    values = {"run.steps": 150, "run.episodes": None, "run.num_envs": 3, "learning.starts": 40}
    parts = assemble_tolerantly([*COMPOSITIONS[name].split(","), "framework.testing"], [Source("test", values)])
    Loop(parts).run()
    parts.close()
    assert parts.counters.updates


@settings(
    max_examples=12,
    phases=[Phase.generate],
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_a_sample_of_the_checks_of_what_it_fills_accuses_nobody(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name in COMPOSITIONS if checks_of(subject_of(name), name)]))
    checks = [check for check in checks_of(subject_of(name), name) if check.component not in WHOLE]
    assert accused(subject_of(name), [data.draw(st.sampled_from(checks))] if checks else []) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_no_check_accuses_it(name: str) -> None:
    assert accused(subject_of(name), collect(subject_of(name).plugins)) == []
