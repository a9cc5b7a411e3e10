"""The checks of the mirror: a row is a transition that happened or its mirror image, also after a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from framework.conformance.check import Cause, Violation, check, require
from framework.conformance.fixtures.batches import frames_of
from framework.conformance.fixtures.replay.cases import FRAME, ReplayCase, with_accepted_capacity
from framework.conformance.fixtures.replay.plain_history import FIELDS, expected_field
from framework.conformance.subject import Subject
from framework.types import Mirror, Segmented

MIRROR = Mirror(-2, (0, 2, 1))
"""Reverses the order of a frame's rows, and swaps two of three actions."""

STEPS = 120
"""Steps of two environments. The probability that all of these rows are mirrored, or none, is below 2^-100."""

ROWS = 80
"""Transitions of the check of a restored buffer: that the same of them are mirrored by chance has probability 2^-80."""


@check(
    "buffer",
    "make_buffer",
    Cause("only the observation is mirrored, or only the action"),
    Cause("observation and next observation are mirrored in different rows"),
    Cause("the next action −1, which means no action, is replaced by an action"),
    Cause("the array that the buffer keeps is reversed, so that later draws reverse it again"),
)
def a_row_is_a_transition_or_its_mirror_image(subject: Subject) -> None:
    """Each row is a transition as it happened or, with probability 1/2, its mirror image in all fields."""
    for stack, n in ((1, 1), (3, 2)):
        spaces = replace(frames_of(FRAME, np.int64, stack, 2), mirror=MIRROR)
        case = with_accepted_capacity(partial(ReplayCase, subject, spaces, n), 4 * STEPS)
        for time in range(STEPS):
            case.step(".t" if time % 7 == 6 else "u." if time % 5 == 4 else "..")
        for draw in ("first", "second"):
            batch = case.drawn()
            windows = case.history.windows(n)
            kinds = set()
            for row, obs in enumerate(batch.obs):
                window = windows[case.history.number(obs)]
                wanted = {field: expected_field(case.history, case.returns, window, field) for field in FIELDS}
                got = {field: getattr(batch, field)[row] for field in FIELDS}
                mirrored = _mirrored(wanted)
                kind = "mirrored" if _same(got, mirrored) else "as it was"
                if kind == "as it was" and not _same(got, wanted):
                    example = case.example(
                        start=case.history.number(obs), draw=draw, mirror=f"axis −2, {MIRROR.actions}"
                    )
                    raise Violation(example, f"{wanted}, or all of it mirrored", got)
                kinds.add(kind)
            expected = ["as it was", "mirrored"]
            require(sorted(kinds) == expected, example=case.example(draw=draw), expected=expected, got=sorted(kinds))


@check(
    "buffer",
    "make_buffer",
    Cause("the mirror's random generator is not restored, or only by one of the two ways of restoring"),
)
def mirroring_goes_on_where_it_was_saved(subject: Subject) -> None:
    """A restored buffer mirrors the same rows as the saved one that goes on, also from the segments of a checkpoint."""
    spaces = replace(frames_of(FRAME, np.int64, 1, 2), mirror=MIRROR)
    ways: tuple[tuple[str, Callable[[Any, Any], None]], ...] = (
        ("its state", _from_state),
        ("segments", _from_segments),
    )
    for name, restore in ways:
        one, other = (with_accepted_capacity(partial(ReplayCase, subject, spaces, 1), 2 * ROWS) for _ in range(2))
        for case in (one, other):
            for _ in range(ROWS // 2):
                case.step("..")
        one.drawn()
        restore(one.buffer, other.buffer)
        wanted, got = one.drawn().obs, other.drawn().obs
        example = one.example(restored_from=name)
        require(np.array_equal(got, wanted), example=example, expected="the same rows mirrored", got="other rows")


def _from_state(one: Any, other: Any) -> None:
    other.load_state_dict(one.state_dict())


def _from_segments(one: Any, other: Any) -> None:
    if isinstance(one, Segmented):
        state, segments = one.cut()
        other.join(state, (read() for read in segments.values()))
    else:
        _from_state(one, other)


def _mirrored(fields: dict[str, Any]) -> dict[str, Any]:
    exchange = {**dict(enumerate(MIRROR.actions)), -1: -1}
    turned = {field: np.flip(fields[field], MIRROR.axis) for field in ("obs", "next_obs")}
    return {**fields, **turned, **{field: exchange[int(fields[field])] for field in ("action", "next_action")}}


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(np.array_equal(one[field], other[field]) for field in FIELDS)
