"""A growing number of updates per step: the agent learns little while it has few transitions to learn from.

After `learning.starts` environment steps, the updates per step grow in a straight line from 0 to
`learning.updates_per_step`. They reach it after `horizon` more steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.options import LearningOptions
from framework.types import Cadence, Counters


class MyVariantOptions(Section, name="my_variant"):
    """How slowly the number of updates grows."""

    horizon: int = Field(500, ge=1, description="environment steps until the updates per step stop growing")
    overlap: bool = Field(False, description="choose actions first, then make the updates while the environments step")


@dataclass(frozen=True)
class MyVariantCadence:
    """`due` depends only on the counters, so updates that cannot be made yet stay due and no rounding errors add up."""

    batch_size: int
    starts: int
    updates_per_step: float
    horizon: int
    overlap: bool

    def due(self, counters: Counters) -> int:
        steps = max(0, counters.env_steps - self.starts)
        growing = min(steps, self.horizon)
        # the area below the rising line, plus the area below the horizontal line after it
        return int(self.updates_per_step * (growing**2 / (2 * self.horizon) + steps - growing))


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_cadence(config: Config) -> Cadence:
    options, learning = config[MyVariantOptions], config[LearningOptions]
    return MyVariantCadence(
        batch_size=learning.batch_size,
        starts=learning.starts,
        updates_per_step=learning.updates_per_step,
        horizon=options.horizon,
        overlap=options.overlap,
    )
