"""Checks of dqn's targets where actions are forbidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect
from framework.conformance.fixtures.batches import A, B
from framework.conformance.fixtures.learners import bootstrapping
from framework.conformance.fixtures.masking import masked, recorded
from framework.conformance.subject import Subject
from plugins.dqn.conformance.rig import require_filled_by, rigged


@check(
    "masks",
    "make_loss",
    Cause("a softmax, an entropy or a bonus over all actions, also those that the mask forbids"),
    Cause("one of the two networks selects the next action among all of them"),
)
def a_single_choice_is_the_target(subject: Subject) -> None:
    """Where s and s' allow one action each, the target is r + γ Q_target(s', a'), without a bonus or an entropy."""
    require_filled_by(subject, "dqn_head", "dqn")
    bootstrapping(subject)
    with rigged(subject) as rig:
        rig.randomise_weights()
        plain = rig.batch()
        only = np.eye(A, dtype=np.bool_)
        next_action = rig.rng.integers(A, size=B)
        every, again = (rig.policy.values_of(rig.target, plain.next_obs) for _ in range(2))
        if not np.array_equal(every, again):
            raise NotApplicable("the target network draws random numbers")
        values = every[np.arange(B), next_action]
        unmasked, rig.spaces = rig.spaces, masked(rig.spaces)
        obs = recorded(unmasked, plain.obs, only[plain.action])
        next_obs = recorded(unmasked, plain.next_obs, only[next_action])
        given = replace(plain, obs=obs, read_next_obs=lambda: next_obs, read_next_action=lambda: next_action)
        wanted = replace(given, reward=plain.reward + plain.discount * values, discount=np.zeros(B))
        example = {"r": plain.reward, "γ": plain.discount, "Q_target(s', a')": values}
        expect(rig.loss(given).loss, rig.loss(wanted).loss, example=example, atol=1e3 * rig.tolerance)
