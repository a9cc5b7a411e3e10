"""Checks of whatever decides how much is learnt: what is due is a pure, growing function of the counters."""

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
from framework.conformance.fixtures.clocks import a_run
from framework.conformance.subject import Subject
from framework.types import Cadence, Counters

STEPS = 300


def _cadence(builder: Builder) -> Cadence:
    cadence: Cadence = builder.cadence()
    return cadence


def _is_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


@check("cadence", "make_cadence", Cause("a rate is returned as it is, not as a whole number of updates"))
def cadence_speaks_in_whole_numbers(subject: Subject) -> None:
    """`batch_size` is an int of at least 1, `overlap` a bool, and `due` an int that is not negative."""
    cadence = _cadence(subject.builder())
    size, overlap = cadence.batch_size, cadence.overlap
    require(_is_int(size) and size >= 1, example="batch_size", expected="an int of at least 1", got=size)
    require(isinstance(overlap, bool | np.bool_), example="overlap", expected="True or False", got=overlap)
    for counters in chain([Counters()], a_run(N, STEPS)):
        due = cadence.due(counters)
        require(_is_int(due) and due >= 0, example=counters, expected="an int of at least 0", got=due)


@check(
    "cadence",
    "make_cadence",
    Cause("updates are handed out by each call: who asks twice learns twice, and a resumed run forgets"),
)
def due_is_a_pure_function(subject: Subject) -> None:
    """`due` gives the same for the same counters, however often and in whatever order it is asked."""
    builder = subject.builder()
    forwards, backwards = _cadence(builder), _cadence(builder)
    moments = [Counters(), *(replace(counters) for counters in a_run(N, STEPS))]
    first = [forwards.due(replace(moment)) for moment in moments]
    reverse = [backwards.due(replace(moment)) for moment in reversed(moments)][::-1]
    for moment, once, otherwise in zip(moments, first, reverse, strict=True):
        given = replace(moment)
        expect(forwards.due(given), once, example={"asked again at": moment})
        require(given == moment, example=moment, expected="the counters as they were", got=given)
        expect(otherwise, once, example={"asked first, and in reverse order, at": moment})


@check("cadence", "make_cadence", Cause("what is due now is returned, not what is due in all"))
def due_never_falls(subject: Subject) -> None:
    """As a run goes on, the number of updates that are due in all never becomes smaller."""
    cadence = _cadence(subject.builder())
    before, last = Counters(), cadence.due(Counters())
    for counters in a_run(N, STEPS):
        due = cadence.due(counters)
        require(due >= last, example={"from": before, "to": counters}, expected=f"{last} or more", got=due)
        before, last = replace(counters), due


@check("cadence", "make_cadence", Cause("off by one, or the warm-up subtracted without a lower bound"))
def nothing_is_due_before_the_first_step(subject: Subject) -> None:
    """Where the buffer begins empty, no update is due before the first step."""
    builder = subject.builder()
    if len(builder.buffer(subject.spaces)):
        raise NotApplicable("the buffer holds something from the start")
    expect(_cadence(builder).due(Counters()), 0, example=Counters())


@check(
    "cadence",
    "make_cadence",
    Cause("the ratio upside down, or taken of loop iterations instead of environment steps"),
    Cause("the warm-up is ignored, off by one, or counted in another unit"),
)
def updates_follow_the_steps_after_the_warm_up(subject: Subject) -> None:
    """The engine's cadence owes ⌊(environment steps − learning.starts) · learning.updates_per_step⌋ updates in all."""
    owner = subject.owner("make_cadence")
    if owner != ENGINE:
        raise NotApplicable(f"{owner} sets the pace, not the engine's ratio")
    builder = subject.builder()
    for starts, ratio, envs in product((0, 1, 23), (1.0, 0.25, 2.0, 1.5, 0.375), (1, N)):
        options = {"learning.starts": starts, "learning.updates_per_step": ratio}
        cadence = _cadence(builder.altered({**options, "learning.batch_size": 7, "run.num_envs": envs}))
        expect(cadence.batch_size, 7, example={"learning.batch_size": 7})
        for counters in a_run(envs, 30):
            wanted = math.floor(Fraction(ratio) * max(0, counters.env_steps - starts))
            expect(cadence.due(counters), wanted, example={**options, "environments": envs, "counters": counters})
