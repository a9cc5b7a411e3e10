"""Checks of the statistics by which `normalise` normalises observations."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from framework.conformance.check import Cause, NotApplicable, check, expect
from framework.conformance.fixtures.spies import short
from framework.conformance.subject import Subject
from framework.events import Callback
from framework.training.evaluation import evaluate
from framework.training.loop import Loop
from framework.types import Averaged, Counters, Step
from plugins.dqn.conformance.rig import numbers


class _Seen(Callback):
    def __init__(self) -> None:
        self.obs: list[np.ndarray] = []

    def on_step(self, step: Step, counters: Counters) -> None:
        self.obs.append(step.obs.copy())


@check(
    "policy",
    "make_policy",
    Cause("the target network has no statistics, or older ones"),
    Cause("evaluations change the statistics"),
    Cause("the variance is that of the last observations"),
)
def both_networks_have_the_statistics_of_training(subject: Subject) -> None:
    """Online and target network have the mean and the variance of all observations of training, and of no others."""
    with subject.probed("ledger", short(subject, 2)) as parts:
        policy: Any = parts.policy.learner if isinstance(parts.policy, Averaged) else parts.policy
        seen = _Seen()
        Loop(parts, [seen]).run()
        evaluate(parts, name="statistics", episodes=2)
        obs = np.concatenate(seen.obs).astype(np.float64)
        for name in ("online", "target"):
            found = _statistics(getattr(policy, name))
            for what, wanted in (("count", len(obs)), ("mean", obs.mean(axis=0)), ("variance", obs.var(axis=0))):
                expect(found[what], wanted, example={"network": name, "compared": what}, rtol=1e-6, atol=1e-9)


def _statistics(network: nn.Module) -> dict[str, np.ndarray]:
    """The statistics of the only module of a network that normalises observations."""
    for module in network.modules():
        buffers = dict(module.named_buffers(recurse=False))
        if {"mean", "variance", "count"} <= set(buffers):
            return {name: numbers(buffer) for name, buffer in buffers.items()}
    raise NotApplicable("no module normalises observations: they are images, or finite")
