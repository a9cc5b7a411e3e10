"""No check accuses a shipped plugin. It gets the checks of the slots that it fills; a bundle gets all checks."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from framework.conformance.runner.collection import collect
from framework.conformance.runner.completion import complete
from plugins.dqn.conformance.networks import images_are_scaled_once
from tests.accusing import WHOLE, accused, checks_of

PLUGINS = sorted(entry_points(group="framework.plugins").names)

LONG = {*WHOLE, "environment", "exploration"}
"""Components left to `python -m tests.mutants --correct`: whole runs, long games and statistics."""


@pytest.mark.parametrize("plugin", PLUGINS)
def test_no_check_accuses_it(plugin: str) -> None:
    fitting, _ = complete("chapter,chain" if plugin == "chapter" else plugin)
    for subject in fitting:
        mine = checks_of(subject, plugin) or collect(subject.plugins)
        assert accused(subject, [check for check in mine if check.component not in LONG]) == [], subject.names


@pytest.mark.parametrize("names", ["pong", "dqn,pong"])
def test_the_check_of_images_looks_at_the_network_that_learns(names: str) -> None:
    """`averaging` plays evaluations with another network."""
    fitting, _ = complete(names)
    assert accused(fitting[0], [images_are_scaled_once]) == []
