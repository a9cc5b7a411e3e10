"""The first check: every other check needs a composition that can be built."""

from __future__ import annotations

from framework.conformance.check import check
from framework.conformance.subject import Subject


@check("assembly", "", seconds=120)
def assembles(subject: Subject) -> None:
    """The composition can be built, both with its own environment and with one of the harness's."""
    with subject.assembled():
        pass
    with subject.probed("ledger"):
        pass
