"""Checks of what is bootstrapped from: which next actions, in whose eyes."""

from __future__ import annotations

import itertools

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.subject import Subject
from plugins.dqn.conformance.rig import Rig, is_filled_by, numbers, rigged
from plugins.dqn.head import Values


def _distribution(rig: Rig, target: np.ndarray, online: np.ndarray) -> np.ndarray:
    """What the bootstrap makes of two networks' values [B, A] at the next observations."""
    try:
        found = rig.bootstrap()(Values(rig.tensor(target)), lambda: Values(rig.tensor(online)))
    except AttributeError as error:
        raise NotApplicable(f"the bootstrap reads more than the values of an output: {error}") from error
    return numbers(found)


def _crafted() -> tuple[np.ndarray, np.ndarray]:
    """Values of the target and of the online network, one row for each pair of best actions."""
    best = np.array(list(itertools.product(range(3), repeat=2)))
    low = np.array([0.25, -1.0, 0.5])
    return low + 5 * np.eye(3)[best[:, 0]], low[::-1] + 2 * np.eye(3)[best[:, 1]]


@check(
    "loss",
    "dqn_bootstrap",
    Cause("two actions that are equally good both count in full"),
    Cause("a softmax over the batch and not over the actions"),
)
def bootstrap_is_a_distribution(subject: Subject) -> None:
    """What a bootstrap gives is a probability for each next action: none is negative and each row sums to 1."""
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
    Cause("the online network chooses, which is double Q-learning", "facebookresearch/ReAgent#88"),
)
def selects_with_the_target_network(subject: Subject) -> None:
    """Without a variant, what is bootstrapped from is the next action that is best in the target network's eyes."""
    is_filled_by(subject, "dqn_bootstrap", "dqn")
    with rigged(subject) as rig:
        for target, online in zip(*_crafted(), strict=True):
            found = _distribution(rig, target[None], online[None])[0]
            expect(found, np.eye(3)[target.argmax()], example={"target's values": target, "online values": online})


@check(
    "loss",
    "dqn_bootstrap",
    Cause("'double' is plain: the target network selects", "MaximeVandegar/Papers-in-100-Lines-of-Code#21"),
    Cause("the two networks have changed places", "higgsfield/RL-Adventure#5"),
)
def selects_with_the_online_network(subject: Subject) -> None:
    """Double Q-learning bootstraps from the next action that is best in the online network's eyes."""
    with rigged(subject) as rig:
        for target, online in zip(*_crafted(), strict=True):
            found = _distribution(rig, target[None], online[None])[0]
            expect(found, np.eye(3)[online.argmax()], example={"target's values": target, "online values": online})
