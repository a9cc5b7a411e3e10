"""Checks of the cadence: the number of due updates is a pure function of the counters that never falls."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import chain, product

import numpy as np

from framework.assembly.builder import Builder
from framework.assembly.manager import ENGINE
from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import N
from framework.conformance.fixtures.clocks import run_counters
from framework.conformance.subject import Subject
from framework.types import Cadence, Counters

STEPS = 300


def _cadence(builder: Builder) -> Cadence:
    cadence: Cadence = builder.cadence()
    return cadence


def _is_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


@check("cadence", "make_cadence", Cause("`due` returns a rate, not a whole number of updates"))
def cadence_speaks_in_whole_numbers(subject: Subject) -> None:
    """`batch_size` is an int of at least 1, `overlap` is a bool, and `due` returns an int of at least 0."""
    cadence = _cadence(subject.builder())
    size, overlap = cadence.batch_size, cadence.overlap
    require(_is_int(size) and size >= 1, example="batch_size", expected="an int of at least 1", got=size)
    require(isinstance(overlap, bool | np.bool_), example="overlap", expected="True or False", got=overlap)
    for counters in chain([Counters()], run_counters(N, STEPS)):
        due = cadence.due(counters)
        require(_is_int(due) and due >= 0, example=counters, expected="an int of at least 0", got=due)


@check(
    "cadence",
    "make_cadence",
    Cause("`due` counts its own calls: a second call adds updates, and a resumed run loses the count"),
)
def due_is_a_pure_function(subject: Subject) -> None:
    """`due` returns the same number for the same counters, however often and in whatever order it is called."""
    builder = subject.builder()
    forwards, backwards = _cadence(builder), _cadence(builder)
    moments = [Counters(), *(replace(counters) for counters in run_counters(N, STEPS))]
    first = [forwards.due(replace(moment)) for moment in moments]
    reverse = [backwards.due(replace(moment)) for moment in reversed(moments)][::-1]
    for moment, once, otherwise in zip(moments, first, reverse, strict=True):
        given = replace(moment)
        expect(forwards.due(given), once, example={"called again with": moment})
        require(given == moment, example=moment, expected="unchanged counters", got=given)
        expect(otherwise, once, example={"called on a new cadence, in reverse order, with": moment})


@check("cadence", "make_cadence", Cause("`due` returns the updates that are still missing, not their total"))
def due_never_falls(subject: Subject) -> None:
    """The total number of due updates never falls during a run."""
    cadence = _cadence(subject.builder())
    before, last = Counters(), cadence.due(Counters())
    for counters in run_counters(N, STEPS):
        due = cadence.due(counters)
        require(due >= last, example={"from": before, "to": counters}, expected=f"{last} or more", got=due)
        before, last = replace(counters), due


@check("cadence", "make_cadence", Cause("an off-by-one error, or the warm-up is subtracted without a lower bound"))
def nothing_is_due_before_the_first_step(subject: Subject) -> None:
    """If the buffer starts empty, no update is due before the first step."""
    builder = subject.builder()
    if len(builder.buffer(subject.spaces)):
        raise NotApplicable("the buffer is not empty at the start")
    expect(_cadence(builder).due(Counters()), 0, example=Counters())


@check(
    "cadence",
    "make_cadence",
    Cause("the ratio is inverted, or counts loop iterations instead of environment steps"),
    Cause("the warm-up is ignored, off by one, or counted in another unit"),
)
def updates_follow_the_steps_after_the_warm_up(subject: Subject) -> None:
    """The engine's `due` is ⌊(environment steps − learning.starts) · learning.updates_per_step⌋, at least 0."""
    owner = subject.owner("make_cadence")
    if owner != ENGINE:
        raise NotApplicable(f"the cadence is that of {owner}, not the engine's")
    builder = subject.builder()
    for starts, ratio, envs in product((0, 1, 23), (1.0, 0.25, 2.0, 1.5, 0.375), (1, N)):
        options = {"learning.starts": starts, "learning.updates_per_step": ratio}
        cadence = _cadence(builder.altered({**options, "learning.batch_size": 7, "run.num_envs": envs}))
        expect(cadence.batch_size, 7, example={"learning.batch_size": 7})
        for counters in run_counters(envs, 30):
            wanted = math.floor(Fraction(ratio) * max(0, counters.env_steps - starts))
            expect(cadence.due(counters), wanted, example={**options, "environments": envs, "counters": counters})
