"""The check before all others: a composition that cannot be built has no other property."""

from __future__ import annotations

from framework.conformance.check import check
from framework.conformance.subject import Subject


@check("assembly", "", seconds=120)
def assembles(subject: Subject) -> None:
    """The composition can be built, on its own environment and on one of the harness's."""
    with subject.assembled():
        pass
    with subject.probed("ledger"):
        pass
