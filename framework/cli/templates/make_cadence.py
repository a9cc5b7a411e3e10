"""A replay ratio that grows: little is learnt while there is little to learn from.

After `learning.starts` steps, the updates an environment step rise in a straight line from 0 to
`learning.updates_per_step`, which they reach after `horizon` steps more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.options import LearningOptions
from framework.types import Cadence, Counters


class MyVariantOptions(Section, name="my_variant"):
    """How slowly it grows."""

    horizon: int = Field(500, ge=1, description="environment steps until the ratio is whole")
    overlap: bool = Field(False, description="choose actions before the updates, which run while environments step")


@dataclass(frozen=True)
class MyVariantCadence:
    """`due` is a pure function of the counters: updates that cannot be made yet stay owed, and nothing drifts."""

    batch_size: int
    starts: int
    updates_per_step: float
    horizon: int
    overlap: bool

    def due(self, counters: Counters) -> int:
        steps = max(0, counters.env_steps - self.starts)
        growing = min(steps, self.horizon)
        # the area below the rising line, and below the level one after it
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
