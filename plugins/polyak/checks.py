"""Checks of `polyak` and `online`: the target network moves once after each update, and at no other time."""

from __future__ import annotations

from framework.conformance.check import Cause, NotApplicable, check, require
from framework.conformance.fixtures.batches import N
from framework.conformance.fixtures.clocks import run_counters
from framework.conformance.fixtures.target_spy import TargetSpy
from framework.conformance.subject import Subject
from framework.types import TargetSync


def _moves_once_an_update(spy: TargetSpy, sync: TargetSync, fraction: float) -> None:
    updates = 0
    for counters in run_counters(N, 60):
        wanted = [fraction] if counters.updates > updates else []
        updates = counters.updates
        for ticked, expected in (("once", wanted), ("twice", [])):
            got = spy.tick(sync, counters)
            example = {"share": fraction, "ticked": ticked, "at": counters}
            require(got == expected, example=example, expected=expected or "no move", got=got or "no move")


def _require_owner(subject: Subject, name: str) -> None:
    if subject.owner("make_target_sync") != name:
        raise NotApplicable(f"another plugin decorates {name}")


@check(
    "target_sync",
    "make_target_sync",
    Cause("the target network also moves after environment steps, so faster than τ says"),
    Cause("τ and 1 − τ are exchanged"),
    Cause("the periodic copy is still active, too", "anthonytorlucci/rlevo#182"),
)
def polyak_moves_by_tau_after_each_update(subject: Subject) -> None:
    """The target network moves by polyak.tau once after each update, and at no other time."""
    _require_owner(subject, "polyak")
    spy = TargetSpy(subject)
    for tau in (0.005, 0.25, 1.0):
        _moves_once_an_update(spy, spy.sync({"polyak.tau": tau}), tau)


@check(
    "target_sync",
    "make_target_sync",
    Cause("the period counts environment steps or is longer than one update, so that the target network lags behind"),
)
def online_copies_after_each_update(subject: Subject) -> None:
    """The target network becomes an exact copy of the online network after each update, and at no other time."""
    _require_owner(subject, "online")
    spy = TargetSpy(subject)
    _moves_once_an_update(spy, spy.sync(), 1.0)
