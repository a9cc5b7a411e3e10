"""The checks of buffers do not accuse a buffer that refuses small capacities."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.conformance.check import checks_in
from framework.conformance.checks.buffer import contents as buffer
from framework.conformance.checks.buffer import interface as buffer_dealings
from framework.conformance.runner.execution import run_check
from framework.conformance.subject import Subject

LARGE = """
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.options import ReplayOptions

@hookimpl(wrapper=True)
def make_buffer(config):
    made = yield
    if config[ReplayOptions].capacity < {least}:
        raise UsageError("replay.capacity must be at least {least}")
    return made
"""

AT_ANY_CAPACITY = {
    "arrays_of_a_batch_are_its_own",
    "what_is_learnt_has_happened",
    "what_was_added_is_copied",
    "what_was_drawn_is_a_copy",
    "types_and_extremes_survive",
    "nothing_is_drawn_before_a_window_is_whole",
    "priorities_reach_the_sampler",
    "new_transitions_take_the_place_of_old_ones",
}


LARGE_ALONE = {"a_long_episode_in_a_large_ring_is_kept"}


@pytest.mark.parametrize(("least", "passed"), [(100, AT_ANY_CAPACITY | LARGE_ALONE), (10_000, LARGE_ALONE)])
def test_a_buffer_that_refuses_small_capacities_is_not_accused(least: int, passed: set[str], tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(LARGE.format(least=least))
    subject = Subject(("tabular", str(path), "chain"))
    found = [run_check(check, subject) for module in (buffer, buffer_dealings) for check in checks_in(module)]
    assert {one.check: one.why for one in found if one.verdict == "failed"} == {}
    assert {one.check for one in found if one.verdict == "passed"} == passed
    assert all(f"at least {least}" in one.why or "none of the examples" in one.why for one in found if one.why)
