"""Mirrors each sampled transition with probability 1/2, if the environment declares a mirror.

An environment whose mirror image is the same environment, such as the court of `pong`, declares this in its metadata:
`mirror` holds the axis of a frame that the mirror reverses, and for each action the action that the mirror shows. Each
transition then serves as two. The plugin decorates any buffer, and stores nothing twice.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from framework.assembly.slots import Slots
from framework.conformance.check import Check
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.spaces import Record
from framework.types import Buffer, Segmented, Spaces
from plugins.mirror.buffer import MirroredBuffer, SegmentedMirroredBuffer

CHECK_WITH = "dqn,pong"


@hookimpl(wrapper=True)
def make_buffer(spaces: Spaces, seeds: Seeds, slots: Slots) -> Generator[None, Buffer, Buffer]:
    buffer = yield
    if spaces.mirror is None:
        slots.idle("mirror", "the environment declares no mirror")
        return buffer
    if isinstance(spaces.frame, Record):
        raise UsageError("mirror works on observations of one part and without masks: drop mirror (no:mirror)")
    kind = SegmentedMirroredBuffer if isinstance(buffer, Segmented) else MirroredBuffer
    return kind(buffer, spaces.mirror, seeds.generator("mirror"))


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.mirror.checks import (
        a_row_is_a_transition_or_its_mirror_image,
        mirroring_goes_on_where_it_was_saved,
    )

    return [a_row_is_a_transition_or_its_mirror_image, mirroring_goes_on_where_it_was_saved]
