"""n-step returns (Sutton 1988; Hessel et al. 2018, eq. 3): R = Σ_{j<n} γ^j r_{t+j}, and γ^n times the bootstrap.

Paper → here (Hessel et al. 2018, table 1):

| option | paper | here | why |
| --- | --- | --- | --- |
| `nstep.n` | 3 | 3 | |
"""

from __future__ import annotations

from collections.abc import Sequence

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.options import ReturnsOptions
from framework.replay.returns import NStepReturns
from framework.types import Returns


class NStepOptions(Section, name="nstep", searched={"n": "int(1, 10)"}):
    """The number of steps of a return."""

    n: int = Field(
        3, ge=1, le=1000, description="steps of reward before the bootstrap; fewer if the episode ends first"
    )


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [NStepOptions]


@hookimpl
def make_returns(config: Config) -> Returns:
    return NStepReturns(config[ReturnsOptions].gamma, config[NStepOptions].n)
