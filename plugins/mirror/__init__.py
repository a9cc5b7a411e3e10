"""Show each sampled transition in the environment's mirror with probability 1/2, where the environment declares one.

An environment that is its own mirror image says so in its metadata, as `pong`'s court does: `mirror` is the axis of a
frame that the mirror turns round, and the actions in the order in which the mirror shows them. Each transition is then
worth two. The plugin decorates whatever buffer the composition has, and nothing is stored twice.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from framework.assembly.slots import Slots
from framework.conformance.check import Check
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.types import Buffer, Segmented, Spaces
from plugins.mirror.buffer import MirroredBuffer, SegmentedMirroredBuffer

CHECK_WITH = "dqn,pong"


@hookimpl(wrapper=True)
def make_buffer(spaces: Spaces, seeds: Seeds, slots: Slots) -> Generator[None, Buffer, Buffer]:
    buffer = yield
    if spaces.mirror is None:
        slots.idle("mirror", "the environment declares no mirror")
        return buffer
    kind = SegmentedMirroredBuffer if isinstance(buffer, Segmented) else MirroredBuffer
    return kind(buffer, spaces.mirror, seeds.generator("mirror"))


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.mirror.checks import a_row_is_a_transition_or_its_mirror_image

    return [a_row_is_a_transition_or_its_mirror_image]
