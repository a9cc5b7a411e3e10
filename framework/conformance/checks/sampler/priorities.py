"""Checks of how a sampler treats priorities.

A sampler may prefer any ids. So the checks ask only that importance weights do not strengthen the preference.
"""

from __future__ import annotations

import numpy as np

from framework.conformance.check import Cause, Violation, check, expect, require
from framework.conformance.fixtures.replay.samplers import draw, many_draws, sampler_of
from framework.conformance.subject import Subject
from framework.types import Sampler


def _two_equal_samplers(subject: Subject) -> tuple[Sampler, Sampler]:
    """Two samplers in the same state, with 5 active ids, two of which have taken the slots of 0 and 1."""
    twins = sampler_of(subject, 5, range(5)), sampler_of(subject, 5, range(5))
    for twin in twins:
        twin.reprioritize(np.arange(5), np.array([0.5, 2.0, 1.0, 3.0, 0.25]))
        twin.retire(np.array([0, 1]))
        twin.activate(np.array([5, 6]))
    return twins


@check(
    "sampler",
    "make_sampler",
    Cause("a late priority goes to the transition that is in the slot now", "ray-project/ray#6534"),
)
def late_priorities_are_ignored(subject: Subject) -> None:
    """A priority for an id that is no longer active, or never was, does not change which ids are drawn."""
    for late in ([0], [0, 1], [7, 0], [0, 3]):
        one, other = _two_equal_samplers(subject)
        for twin, priority in ((one, 1e-3), (other, 1e3)):
            twin.reprioritize(np.array(late), np.where(np.array(late) == 3, 1.0, priority))
        for _ in range(20):
            example = {"active ids": [2, 3, 4, 5, 6], "priorities for": late, "compared": "draws with 0.001 and 1000"}
            expect(draw(other, 4)[0], draw(one, 4)[0], example=example)


@check(
    "sampler",
    "make_sampler",
    Cause("a NaN makes the sum of the priorities NaN", "MorvanZhou/Reinforcement-learning-with-tensorflow#54"),
    false_alarm=1e-5,
)
def priorities_that_are_no_numbers_do_no_harm(subject: Subject) -> None:
    """The sampler refuses or ignores a NaN or infinite priority, and all ids can still be drawn afterwards."""
    for bad in (np.nan, np.inf, -np.inf):
        sampler = sampler_of(subject, 5, range(5))
        promised = len(sampler)
        try:
            sampler.reprioritize(np.array([1, 3]), np.array([1.0, bad]))
        except Exception:
            expect(len(sampler), promised, example={"priority": bad, "compared": "len(sampler) after it was refused"})
        found = sorted(set(many_draws(sampler)))
        require(
            len(found) == promised, example={"active ids": range(5), "priority of id 3": bad},
            expected=f"{promised} different ids", got=found,
        )  # fmt: skip


@check(
    "sampler",
    "make_sampler",
    Cause("a division by a sum of 0"),
    Cause("ids of empty slots are drawn", "instadeepai/flashbax#52"),
)
def zero_priorities_do_no_harm(subject: Subject) -> None:
    """If one or all priorities are 0, draws still give active ids with finite weights."""
    for zeros in ([2], [0, 1, 2]):
        sampler = sampler_of(subject, 5, range(3))
        sampler.reprioritize(np.array(zeros), np.zeros(len(zeros)))
        found = sorted(set(many_draws(sampler, 3, 60)))
        example = {"capacity": 5, "active ids": range(3), "priority 0": zeros}
        require(set(found) <= {0, 1, 2}, example=example, expected="ids of [0, 1, 2]", got=found)


@check(
    "sampler",
    "make_sampler",
    Cause("a wrong sign or base of the importance exponent", "takoika/PrioritizedExperienceReplay#1"),
    Cause("weights of other ids than the drawn ones"),
    false_alarm=1e-5,
)
def what_is_drawn_more_often_never_weighs_more(subject: Subject) -> None:
    """Of two ids, the one that is drawn more often has no larger importance weight.

    The check compares pairs of one draw whose counts differ by more than 6 standard errors of independent draws. The
    less likely id leads by so much with probability below 1e-8 for each of 10 pairs.
    """
    sampler = sampler_of(subject, 5, range(5))
    sampler.reprioritize(np.arange(5), np.array([0.1, 1.0, 4.0, 0.5, 2.0]))
    draws: list[tuple[list[int], np.ndarray]] = []
    while len(draws) < 2_000 and len(sampler):
        draws.append(draw(sampler, 2))
    drawn = [id_ for ids, _ in draws for id_ in ids]
    counts = {id_: drawn.count(id_) for id_ in sorted(set(drawn))}
    for ids, weights in draws:
        if len(ids) < 2:
            continue
        often, rare = sorted((0, 1), key=lambda place: -counts[ids[place]])
        one, other = counts[ids[often]], counts[ids[rare]]
        if one - other > 6 * np.sqrt(one + other) and weights[often] > weights[rare] * (1 + 1e-9):
            example = {
                "times drawn": list(counts.items()),
                "compared": f"the weight of id {ids[often]} with that of id {ids[rare]}",
            }
            raise Violation(example, f"at most {weights[rare]}", weights[often])
