"""Learning in bursts: nothing for a while, then many updates at once; more of them in the first thousand steps.

Learns before it acts, so that a burst is finished before the next action.
"""

from __future__ import annotations

from collections.abc import Sequence

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.types import Cadence, Counters

CHECK_WITH = "dqn,chain"


class BurstOptions(Section, name="bursts"):
    """How often, and how much."""

    period: int = Field(24, ge=1, description="environment steps between two bursts")
    early: int = Field(16, ge=1, description="updates of each burst in the first thousand steps")
    late: int = Field(6, ge=1, description="updates of each later burst")
    rows: int = Field(12, ge=1, description="transitions in a batch")


class Bursts:
    overlap = False

    def __init__(self, options: BurstOptions) -> None:
        self.options = options
        self.batch_size = options.rows

    def due(self, counters: Counters) -> int:
        bursts = counters.env_steps // self.options.period
        early = min(bursts, 1000 // self.options.period)
        return early * self.options.early + (bursts - early) * self.options.late


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [BurstOptions]


@hookimpl
def make_cadence(config: Config) -> Cadence:
    return Bursts(config[BurstOptions])
