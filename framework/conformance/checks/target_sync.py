"""Checks of the target sync: a spy records the calls of `update_target` in each tick.

The checks do not know what another plugin's period counts, nor how far it moves the target. Every sync must measure
time by the counters, do nothing in a tick with unchanged counters, and continue after a load as if it had not stopped.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from framework.assembly.manager import ENGINE
from framework.conformance.check import Cause, NotApplicable, check, require
from framework.conformance.fixtures.batches import N
from framework.conformance.fixtures.clocks import UNITS, run_counters
from framework.conformance.fixtures.target_spy import TargetSpy
from framework.conformance.subject import Subject
from framework.types import Stateful

STEPS = 2_000
"""Steps of a run, enough for most periods."""


def moves_at(moves: Sequence[tuple[int, list[float]]]) -> list[str]:
    """Moves as text: when each happens, and its fractions unless it is an exact copy."""
    return [f"{at}" if fractions == [1.0] else f"{at} by {fractions}" for at, fractions in moves]


def until_they_differ(one: Sequence[str], other: Sequence[str]) -> tuple[str, str]:
    """Both lists as text, up to and including their first difference."""
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    first, second = (", ".join(items[: same + 1]) + (", …" if len(items) > same + 1 else "") for items in (one, other))
    return first or "never", second or "never"


@check(
    "target_sync",
    "make_target_sync",
    Cause("the test is inside another `if`, so both periods must coincide", "vwxyzjn/cleanrl#322"),
    Cause("frames are counted instead of steps", "pfnet/pfrl#200"),
    Cause("a remainder is compared with 0, but parallel environments skip multiples of the period"),
    Cause("the target is copied only at the start", "higgsfield-ai/higgsfield#14"),
    Cause("a soft update runs in addition to the copy", "anthonytorlucci/rlevo#182"),
)
def target_is_copied_each_time_its_period_passes(subject: Subject) -> None:
    """The engine's sync makes one exact copy each time `target.unit` reaches or passes a multiple of `target.every`."""
    owner = subject.owner("make_target_sync")
    if owner != ENGINE:
        raise NotApplicable(f"the sync is that of {owner}, not the engine's")
    ledger = TargetSpy(subject)
    for every, envs, unit in product((7, 13, 1), (1, N), UNITS):
        sync = ledger.sync({"target.every": every, "target.unit": unit, "run.num_envs": envs})
        found, wanted, passed = [], [], 0
        for counters in run_counters(envs, 60):
            for _ in range(2):
                fractions = ledger.tick(sync, counters)
                if fractions:
                    found.append((counters[unit], fractions))
            if counters[unit] // every > passed:
                passed = counters[unit] // every
                wanted.append((counters[unit], [1.0]))
        expected, got = until_they_differ(moves_at(wanted), moves_at(found))
        example = {"target.every": every, "target.unit": unit, "environments": envs}
        require(found == wanted, example=example, expected=f"copies at {unit} {expected}", got=f"copies at {got}")


@check("target_sync", "make_target_sync", Cause("τ and 1 − τ are swapped, or τ is in per cent"))
def target_moves_by_a_share(subject: Subject) -> None:
    """Every fraction that the sync gives to `update_target` lies in (0, 1]."""
    ledger = TargetSpy(subject)
    sync = ledger.sync()
    for counters in run_counters(N, STEPS):
        for fraction in ledger.tick(sync, counters):
            require(0 < fraction <= 1, example=counters, expected="a fraction in (0, 1]", got=fraction)


@check(
    "target_sync",
    "make_target_sync",
    Cause("the period counts calls, and the loop calls `tick` after each step and after each update"),
    Cause("every call makes a soft update, so that the target follows faster than τ says"),
)
def target_stands_still_while_nothing_is_counted(subject: Subject) -> None:
    """A second tick with the same counters does not move the target."""
    ledger = TargetSpy(subject)
    sync = ledger.sync()
    for counters in run_counters(N, STEPS):
        before = replace(counters)
        first, second = ledger.tick(sync, counters), ledger.tick(sync, counters)
        require(counters == before, example=before, expected="unchanged counters", got=counters)
        # a second exact copy changes nothing
        harmless = not second or (1.0 in first and set(second) == {1.0})
        require(harmless, example={"ticked twice at": counters}, expected="no move in the second tick", got=second)


@check(
    "target_sync",
    "make_target_sync",
    Cause("the soft update does not switch the copy off", "anthonytorlucci/rlevo#182"),
)
def a_tick_never_copies_and_blends(subject: Subject) -> None:
    """No tick makes both an exact copy and a partial move, because the partial move would have no effect."""
    ledger = TargetSpy(subject)
    sync = ledger.sync()
    for counters in run_counters(N, STEPS):
        fractions = ledger.tick(sync, counters)
        alone = 1.0 not in fractions or set(fractions) == {1.0}
        require(alone, example=counters, expected="only fractions of 1, or only smaller ones", got=fractions)


@check(
    "target_sync",
    "make_target_sync",
    Cause("the period is divided by the number of environments at each load", "DLR-RM/stable-baselines3#1373"),
    Cause("the last move is not saved, so that the first tick after a load moves the target again"),
)
def target_sync_resumes_in_its_period(subject: Subject) -> None:
    """A sync that is saved and loaded again and again moves the target at the same ticks as an uninterrupted one."""
    ledger = TargetSpy(subject)
    for envs, tick_of_save in product((1, N), (5, 97)):
        original, resumed = ledger.sync(), ledger.sync()
        saves = 0
        moved = False
        for number, counters in enumerate(run_counters(envs, STEPS // envs), start=1):
            wanted, got = ledger.tick(original, counters), ledger.tick(resumed, counters)
            moved = moved or bool(wanted)
            example = {"environments": envs, "saved and loaded": f"{saves} times", "counters": counters}
            require(got == wanted, example=example, expected=wanted or "no move", got=got or "no move")
            if number % tick_of_save == 0:
                fresh = ledger.sync()
                if isinstance(resumed, Stateful) and isinstance(fresh, Stateful):
                    # a file holds copies, not references
                    fresh.load_state_dict(copy.deepcopy(resumed.state_dict()))
                resumed, saves = fresh, saves + 1
    if not moved:
        raise NotApplicable(f"the sync never moved the target in {STEPS} steps")
