"""Checks of the average of the online weights: what it is, when it moves, and who plays with it."""

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
"""Of the newest weights in the average. The first few updates count for more: for 1, 1/2 and 1/3."""

UPDATES = 6


@contextmanager
def _averaging(subject: Subject) -> Iterator[Rig]:
    with rigged(subject, {"averaging.rate": SHARE}, decorate=Standardising()) as rig:
        if not isinstance(rig.policy, AveragedPolicy):
            raise NotApplicable("another plugin decorates the averaged policy")
        yield rig


def _compare(rig: Rig, before: Mapping[str, np.ndarray], k: int) -> None:
    """Raise a `Violation` unless the average is what the k-th update makes of what it was before."""
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
    Cause("the share and its rest have changed places"),
    Cause("the weights at the start, of which nothing was learnt, are part of the average for ever"),
)
def the_average_follows_the_online_network(subject: Subject) -> None:
    """θ̄ ← θ̄ + max(share, 1/k) (θ − θ̄) after the k-th update, for all floats; whole numbers are copied."""
    with _averaging(subject) as rig:
        for k in range(1, UPDATES + 1):
            rig.disturb()
            online, before = state_of(rig.online), state_of(rig.policy.average)
            rig.policy.update_average()
            _compare(rig, before, k)
            for name, found in state_of(rig.online).items():
                expect(found, online[name], example={"update": k, "of the online network": name})


@check(
    "policy",
    "make_policy",
    Cause("the average explores, and so what is learnt depends on it"),
    Cause("evaluations are played with the newest weights"),
)
def the_average_plays_where_nothing_is_explored(subject: Subject) -> None:
    """The average network, in evaluation mode, gives the values where nothing is explored, the online one elsewhere."""
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
        expect(sorted(modes), [False], example="which values `training` has in the modules of the average")


@check(
    "optimizer",
    "make_optimizer",
    Cause("the optimiser moves the weights and does not tell the policy: no `update_average` after its step"),
    Cause("the average is moved before the step, and lags by one"),
)
def each_update_moves_the_average_once(subject: Subject) -> None:
    """After each step of the optimiser, the average has followed the online network once."""
    with _averaging(subject) as rig:
        optimizer = rig.builder.optimizer(rig.policy)
        for k in range(1, UPDATES + 1):
            batch, before = rig.batch(), state_of(rig.policy.average)
            optimizer.apply(batch, rig.loss(batch))
            _compare(rig, before, k)
