"""Evaluates an average of the online weights (Polyak & Juditsky 1992), which is steadier than the newest weights.

After the k-th update, θ̄ ← θ̄ + max(rate, 1/k) (θ − θ̄). The average network acts wherever the agent does not explore.
The saved best and last weights include it. Learning and exploration do not depend on it.

Paper → here (Polyak & Juditsky 1992):

| option | paper | here | why |
| --- | --- | --- | --- |
| `averaging.rate` | 1/k: the mean of all weights | 0.0005 | an average of about the last 2,000 weights |
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from framework.config import Config, Field, Section
from framework.conformance.check import Check, checks_in
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.types import Optimizer, Policy
from plugins.averaging.parts import AveragedPolicy, AveragingOptimizer
from plugins.dqn.agent import DQNPolicy


class AveragingOptions(Section, name="averaging", searched={"rate": "log(1e-4, 1e-2)"}):
    """How fast the average follows the online weights."""

    rate: float = Field(
        5e-4,
        gt=0,
        le=1,
        description="share of the newest weights in the average after each update, at least 1/k after the k-th; "
        "1: the average is a copy",
    )


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [AveragingOptions]


@hookimpl(wrapper=True)
def make_policy(config: Config) -> Generator[None, Policy, Policy]:
    policy = yield
    if not isinstance(policy, DQNPolicy):
        raise UsageError(
            f"averaging needs a policy with dqn's networks; {type(policy).__name__} has none: drop averaging"
        )
    return AveragedPolicy(policy, config[AveragingOptions].rate)


@hookimpl(wrapper=True)
def make_optimizer(policy: Policy) -> Generator[None, Optimizer, Optimizer]:
    optimizer = yield
    if not isinstance(policy, AveragedPolicy):
        raise UsageError("another plugin decorates the averaged policy: name averaging behind it")
    return AveragingOptimizer(optimizer, policy)


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.averaging import checks

    return checks_in(checks)
