"""The clock of a made-up run, for the parts that tell time by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from framework.types import Counters, Unit

UNITS: tuple[Unit, ...] = get_args(Unit)

UPDATES = (2, 0, 1)
"""That follow a step, in turn."""


def a_run(envs: int, steps: int) -> Iterator[Counters]:
    """The counters after each step and after each update, as the loop shows them: one object, which moves on.

    No two of them move alike: a step is four frames, every third step ends an episode in one environment and every
    seventh in all.
    """
    counters = Counters()
    for step in range(1, steps + 1):
        counters.env_steps += envs
        counters.frames += 4 * envs
        counters.episodes += envs if step % 7 == 0 else int(step % 3 == 0)
        yield counters
        for _ in range(UPDATES[step % 3]):
            counters.updates += 1
            yield counters
