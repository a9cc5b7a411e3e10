"""Which checks of the harness concern a plugin, and which of them accuse it."""

from __future__ import annotations

from collections.abc import Sequence

from framework.conformance.check import Check
from framework.conformance.runner.collection import collect
from framework.conformance.runner.execution import run_check
from framework.conformance.subject import Subject

WHOLE = ("loop", "state", "agent")
"""Components whose checks make whole runs, which takes longest."""


def checks_of(subject: Subject, plugin: str) -> list[Check]:
    """The checks of the slots that the plugin fills or decorates."""
    plugins = subject.plugins
    mine = {
        check.slot
        for check in collect(plugins)
        if (winner := plugins.winner(check.slot)) and plugin in (winner.plugin, *plugins.decorators(check.slot))
    }
    return [check for check in collect(plugins) if check.slot in mine]


def accused(subject: Subject, checks: Sequence[Check]) -> list[str]:
    """The messages of the checks that fail."""
    found = [run_check(check, subject) for check in checks]
    return [
        f"{one.check}: {one.why or f'{one.example}: expected {one.expected}, got {one.got}'}"
        for one in found
        if one.verdict == "failed"
    ]
