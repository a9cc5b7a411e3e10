"""Checks of the sampler: it gives only active ids, each of them at some time, and as many as requested.

The checks use ids as a ring buffer gives them: each is new, they become large in a long run, and an id is retired
before another one takes its slot.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from framework.conformance.check import Cause, NotApplicable, Violation, check, expect, require
from framework.conformance.fixtures.replay.samplers import draw, many_draws, sampler_of
from framework.conformance.subject import Subject
from framework.types import Counters


@check(
    "sampler",
    "make_sampler",
    Cause("a draw at the very end of the sum is out of range", "ray-project/ray#57599"),
    Cause("a capacity that is not a power of two", "vwxyzjn/cleanrl#546"),
    Cause("empty slots are drawn", "instadeepai/flashbax#52"),
    Cause("ids in int32, or slots that are not cleared when their id is retired"),
)
def only_active_ids_are_drawn(subject: Subject) -> None:
    """After any calls, `sample(n)` gives only active ids, at most n and at least min(n, `len(sampler)`) of them."""

    def body(capacity: int, base: int, actions: list[tuple[str, int]]) -> None:
        sampler = sampler_of(subject, capacity)
        active: list[int] = []
        following, calls = base, [f"allocate {capacity}"]
        for action, size in actions:
            if action == "activate":
                ids = list(range(following, following + min(size, capacity)))
                following += len(ids)
                lost = [id_ for id_ in active if id_ <= following - 1 - capacity]
                if lost:
                    sampler.retire(np.array(lost, np.int64))
                    calls.append(f"retire {lost}")
                sampler.activate(np.array(ids, np.int64))
                active = [id_ for id_ in active if id_ not in lost] + ids
                calls.append(f"activate {ids}")
            elif action == "skip":
                following += size
            elif action == "retire":
                sampler.retire(np.array(active[:size], np.int64))
                calls.append(f"retire {active[:size]}")
                active = active[size:]
            elif action == "reprioritize" and active:
                ids = active[-size:]
                sampler.reprioritize(np.array(ids, np.int64), np.arange(len(ids)) * 1.5)
                calls.append(f"reprioritize {ids}")
            elif len(sampler):
                ids, _ = draw(sampler, size)
                strange = sorted(set(ids) - set(active))
                example = {"calls": "; ".join(calls), "asked for": size}
                require(not strange, example=example, expected=f"ids of {active}", got=ids)
            example = {"calls": "; ".join(calls), "compared": "len(sampler)"}
            require(len(sampler) <= len(active), example=example, expected=f"at most {len(active)}", got=len(sampler))

    kinds = st.sampled_from(["activate", "activate", "skip", "retire", "reprioritize", "draw", "draw"])
    subject.for_all(
        body,
        capacity=st.integers(1, 13),
        base=st.sampled_from([0, 5, 2**31 - 3, 2**40 + 1]),
        actions=st.integers(0, 30).flatmap(
            lambda count: st.lists(st.tuples(kinds, st.integers(1, 6)), min_size=count, max_size=count)
        ),
    )


@check(
    "sampler",
    "make_sampler",
    Cause("an off-by-one error: the first or the last id is never drawn"),
    Cause("a capacity that is not a power of two", "vwxyzjn/cleanrl#546"),
    false_alarm=1e-5,
)
def every_id_is_drawn_sooner_or_later(subject: Subject) -> None:
    """`len(sampler)` different ids can be drawn, each with a probability of at least 1 %."""
    for count, capacity in ((1, 1), (1, 5), (2, 2), (3, 3), (4, 4), (5, 5), (5, 7), (5, 8)):
        sampler = sampler_of(subject, capacity, range(count))
        promised = len(sampler)
        require(1 <= promised <= count, example={"active ids": count}, expected=count, got=promised)
        found = sorted(set(many_draws(sampler, count)))
        example = {"capacity": capacity, "active ids": range(count), "len(sampler)": promised}
        require(len(found) == promised, example=example, expected=f"{promised} different ids", got=found)


@check("sampler", "make_sampler", Cause("ids are drawn with replacement"))
def uniform_draws_have_no_repeats(subject: Subject) -> None:
    """The engine's sampler draws an id at most once for a batch, also if the batch takes almost all of them."""
    if not subject.fills("make_sampler", "engine"):
        raise NotApplicable("the sampler is not the engine's, and may promise something else")
    for count in (1, 2, 5, 40):
        sampler = sampler_of(subject, 50, range(count))
        for rows in (1, count // 2, count - 1, count, count + 3):
            ids, _ = sampler.sample(rows, Counters())
            example = {"active ids": range(count), "asked for": rows}
            require(len(set(ids.tolist())) == min(rows, count), example=example, expected="different ids", got=ids)


@check("sampler", "make_sampler", Cause("missing ids of a short buffer are filled with index 0", "le2333/RTRRL#57"))
def nothing_is_drawn_from_nothing(subject: Subject) -> None:
    """While no id is active, `len(sampler)` is 0 and `sample` returns no ids or raises an error."""
    for active in ((), (3, 4)):
        sampler = sampler_of(subject, 5, active)
        if active:
            sampler.retire(np.array(active, np.int64))
        example = {"activated and retired": list(active)}
        expect(len(sampler), 0, example={**example, "compared": "len(sampler)"})
        try:
            ids = sampler.sample(4, Counters())[0].tolist()
        except Exception:
            ids = []
        expect(len(ids), 0, example={**example, "drawn": ids})


@check("sampler", "make_sampler", Cause("the slot is cleared although another id is in it now", "ray-project/ray#6534"))
def retiring_what_is_not_active_changes_nothing(subject: Subject) -> None:
    """`retire` ignores ids that are not active: retired ones whose slots others have now, and ones never activated."""
    capacity = 5
    for strange in ([2], [0], [0, 1], [9], [2, 9]):
        sampler = sampler_of(subject, capacity, range(3))
        sampler.retire(np.array([0, 1], np.int64))
        sampler.activate(np.array([5, 6], np.int64))
        promised = len(sampler)
        gone = [2] if 2 in strange else []
        sampler.retire(np.array(strange, np.int64))
        active = [id_ for id_ in (2, 5, 6) if id_ not in gone]
        example = {"capacity": capacity, "active ids": [2, 5, 6], "retired": strange}
        expect(len(sampler), promised - len(gone), example={**example, "compared": "len(sampler)"})
        found = set(many_draws(sampler, 3, 300))
        require(found <= set(active), example=example, expected=f"ids of {active}", got=sorted(found))


@check("sampler", "make_sampler", Cause("the caller's array is kept, not a copy of it", "thu-ml/tianshou#82"))
def arrays_are_not_shared(subject: Subject) -> None:
    """The sampler does not change its arguments, and the caller may overwrite them and the returned arrays."""
    sampler = sampler_of(subject, 7)
    calls: Sequence[tuple[str, list[np.ndarray]]] = [
        ("activate", [np.arange(6)]),
        ("reprioritize", [np.arange(4), np.array([1.0, 0.5, 2.0, 4.0])]),
        ("retire", [np.array([0, 1])]),
    ]
    for name, given in calls:
        before = [array.copy() for array in given]
        getattr(sampler, name)(*given)
        for array, was in zip(given, before, strict=True):
            expect(array, was, example=f"an array that was passed to {name}")
            array[...] = 5
    for _ in range(4):
        ids, weights = sampler.sample(1, Counters())
        if not set(ids.tolist()) <= {2, 3, 4, 5}:
            raise Violation("passed arrays were overwritten with 5, drawn arrays with 77", "ids of [2, 3, 4, 5]", ids)
        for array in (ids, weights):
            if array.flags.writeable:
                array[...] = 77


@check("sampler", "make_sampler", Cause("places or ids in 8, 16 or 32 bits"), false_alarm=1e-5)
def large_rings_and_late_ids_are_kept_apart(subject: Subject) -> None:
    """In a ring of 70,001, of 300 ids beyond 2³³ only active ones are drawn, also when all but four are retired."""
    capacity = 70_001
    ids = 2**33 + 233 * np.arange(300, dtype=np.int64)
    sampler = sampler_of(subject, capacity)
    for part in np.array_split(ids, 30):
        sampler.activate(part)
    example: dict[str, object] = {"capacity": capacity, "active ids": f"{ids[0]}, {ids[1]} … {ids[-1]}"}
    found, _ = draw(sampler, 64)
    require(bool(np.isin(found, ids).all()), example=example, expected="active ids", got=found)
    left = ids[-4:]
    sampler.retire(ids[:-4])
    example = {**example, "retired": f"all but {left}", "len(sampler)": len(sampler)}
    promised = len(sampler)
    given = np.unique(many_draws(sampler, len(left)))
    whole = len(given) == promised <= len(left) and np.isin(given, left).all()
    require(bool(whole), example=example, expected=f"{promised} ids of {left}", got=given)
