"""Checks of the bootstrap: which network selects the next actions."""

from __future__ import annotations

import itertools

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.subject import Subject
from plugins.dqn.conformance.rig import Rig, numbers, require_filled_by, rigged
from plugins.dqn.head import Values


def _distribution(rig: Rig, target: np.ndarray, online: np.ndarray) -> np.ndarray:
    """Return the bootstrap's distribution, given the action values [B, A] of two networks at the next observations."""
    try:
        found = rig.bootstrap()(Values(rig.tensor(target)), lambda: Values(rig.tensor(online)))
    except AttributeError as error:
        raise NotApplicable(f"the bootstrap reads more of an output than its `values`: {error}") from error
    return numbers(found)


def _crafted() -> tuple[np.ndarray, np.ndarray]:
    """Return action values of the target and of the online network: one row for each pair of best actions."""
    best = np.array(list(itertools.product(range(3), repeat=2)))
    low = np.array([0.25, -1.0, 0.5])
    return low + 5 * np.eye(3)[best[:, 0]], low[::-1] + 2 * np.eye(3)[best[:, 1]]


@check(
    "loss",
    "dqn_bootstrap",
    Cause("two equally good actions both get probability 1"),
    Cause("the softmax runs over the batch instead of the actions"),
)
def bootstrap_is_a_distribution(subject: Subject) -> None:
    """The bootstrap returns a distribution over next actions: no probability is negative and each row sums to 1."""
    with rigged(subject) as rig:
        rows = [[1.0, 0.0, -1.0], [2.0, 2.0, 0.0], [-1e3, 1e3, 0.0], [0.0, 0.0, 0.0], [-3.0, -2.0, -2.5]]
        for target, online in itertools.product(rows, rows):
            found = _distribution(rig, np.array([target, rows[0]]), np.array([online, rows[2]]))
            example = {"target's values": target, "online values": online}
            expect(found.shape, (2, 3), example={**example, "compared": "the shape of two rows"})
            require((found >= 0).all(), example=example, expected="no probability below 0", got=found[0])
            expect(found.sum(axis=1), np.ones(2), example={**example, "compared": "the sum"}, atol=rig.tolerance)


@check(
    "loss",
    "dqn_bootstrap",
    Cause("the online network selects the action, which is double Q-learning", "facebookresearch/ReAgent#88"),
)
def selects_with_the_target_network(subject: Subject) -> None:
    """Without a variant, the loss bootstraps from the next action with the largest value of the target network."""
    require_filled_by(subject, "dqn_bootstrap", "dqn")
    with rigged(subject) as rig:
        for target, online in zip(*_crafted(), strict=True):
            found = _distribution(rig, target[None], online[None])[0]
            expect(found, np.eye(3)[target.argmax()], example={"target's values": target, "online values": online})


@check(
    "loss",
    "dqn_bootstrap",
    Cause(
        "the target network selects the action, as in DQN without 'double'",
        "MaximeVandegar/Papers-in-100-Lines-of-Code#21",
    ),
    Cause("the two networks are swapped", "higgsfield/RL-Adventure#5"),
)
def selects_with_the_online_network(subject: Subject) -> None:
    """Double Q-learning bootstraps from the next action with the largest value of the online network."""
    with rigged(subject) as rig:
        for target, online in zip(*_crafted(), strict=True):
            found = _distribution(rig, target[None], online[None])[0]
            expect(found, np.eye(3)[online.argmax()], example={"target's values": target, "online values": online})
