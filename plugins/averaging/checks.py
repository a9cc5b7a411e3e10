"""Checks of the average of the online weights: its values, its updates, and where it acts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect
from framework.conformance.subject import Subject
from plugins.averaging.parts import AveragedPolicy
from plugins.dqn.conformance.networks import Standardising
from plugins.dqn.conformance.rig import Rig, rigged, state_of, watched

SHARE = 0.25
"""Share of the newest weights in the average. The first three updates have larger shares: 1, 1/2 and 1/3."""

UPDATES = 6


@contextmanager
def _averaging(subject: Subject) -> Iterator[Rig]:
    with rigged(subject, {"averaging.rate": SHARE}, decorate=Standardising()) as rig:
        if not isinstance(rig.policy, AveragedPolicy):
            raise NotApplicable("another plugin decorates the averaged policy")
        yield rig


def _compare(rig: Rig, before: Mapping[str, np.ndarray], k: int) -> None:
    """Raise a `Violation` unless the average is the result of the k-th update of `before`."""
    share = max(SHARE, 1 / k)
    after = state_of(rig.policy.average)
    for name, newest in state_of(rig.online).items():
        wanted = before[name] + share * (newest - before[name]) if newest.dtype.kind == "f" else newest
        expect(
            after[name], wanted, example={"update": k, "of the average": name}, rtol=rig.tolerance, atol=rig.tolerance
        )


@check(
    "policy",
    "make_policy",
    Cause("the share and 1 − share are swapped"),
    Cause("the initial weights stay a part of the average"),
)
def the_average_follows_the_online_network(subject: Subject) -> None:
    """θ̄ ← θ̄ + max(share, 1/k) (θ − θ̄) after the k-th update, for all floats; integers are copied."""
    with _averaging(subject) as rig:
        for k in range(1, UPDATES + 1):
            rig.change_online_network()
            online, before = state_of(rig.online), state_of(rig.policy.average)
            rig.policy.update_average()
            _compare(rig, before, k)
            for name, found in state_of(rig.online).items():
                expect(found, online[name], example={"update": k, "of the online network": name})


@check(
    "policy",
    "make_policy",
    Cause("the average network explores, so that learning depends on it"),
    Cause("evaluations use the newest weights"),
)
def the_average_plays_where_nothing_is_explored(subject: Subject) -> None:
    """Without exploration, the average network gives the values, in evaluation mode; else the online network does."""
    with _averaging(subject) as rig:
        asked: set[str] = set()
        with (
            watched(rig.online, lambda given: asked.add("online")),
            watched(rig.policy.average, lambda given: asked.add("average")),
        ):
            for explore, wanted in ((True, "online"), (False, "average")):
                asked.clear()
                rig.policy.action_values(rig.batch().obs, explore=explore)
                expect(sorted(asked), [wanted], example={"explore": explore, "that": "which network is asked"})
        modes = {module.training for module in rig.policy.average.modules()}
        expect(sorted(modes), [False], example="values of `training` in the modules of the average")


@check(
    "optimizer",
    "make_optimizer",
    Cause("the optimiser does not call the policy's `update_average` after its step"),
    Cause("the average is updated before the step, so it is one step late"),
)
def each_update_moves_the_average_once(subject: Subject) -> None:
    """Each step of the optimiser updates the average exactly once, after the online network has changed."""
    with _averaging(subject) as rig:
        optimizer = rig.builder.optimizer(rig.policy)
        for k in range(1, UPDATES + 1):
            batch, before = rig.batch(), state_of(rig.policy.average)
            optimizer.apply(batch, rig.loss(batch))
            _compare(rig, before, k)
