"""Checks of Munchausen DQN: a bonus for likely actions, and a soft bootstrap."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from framework.conformance.check import Cause, check, expect
from framework.conformance.subject import Subject
from plugins.dqn.conformance.references import log_softmax
from plugins.dqn.conformance.rig import numbers, rigged
from plugins.dqn.head import Values

PAPER = {"munchausen.alpha": 0.9, "munchausen.temperature": 0.03, "munchausen.lowest": -1.0}
SOFT = {"munchausen.alpha": 0.5, "munchausen.temperature": 1.7, "munchausen.lowest": -0.3}
BEFORE = ((0.0, 0.1, 0.2), (5.0, -40.0, 4.99), (1.0, 1.0, 1.0))
AFTER = ((0.0, 0.0, 0.0), (30.0, 29.98, -30.0), (-1.0, 2.0, 0.5))


@check(
    "loss",
    "dqn_bonus",
    Cause("ln π(a|s) is not clipped, or not multiplied by τ"),
    Cause("the entropy is missing, is not discounted, or has the wrong sign"),
    Cause("the bonus uses the next observation instead of the observation"),
)
def target_is_that_of_munchausen(subject: Subject) -> None:
    """The target r + bonus + γ Σ π Q equals r + α · clip(τ ln π(a|s), l₀, 0)
    + γ Σ_a' π(a'|s') (Q(s', a') − τ ln π(a'|s')).
    """
    for options in (PAPER, SOFT):
        alpha, temperature, lowest = options.values()
        with rigged(subject, options) as rig:
            bonus, bootstrap = rig.part("dqn_bonus", config=rig.builder.config), rig.bootstrap()
            for before, after, action, discount in itertools.product(BEFORE, AFTER, range(3), (0.0, 0.9)):
                now, following = Values(rig.tensor([before])), Values(rig.tensor([after]))
                gained = bonus(lambda now=now: now, torch.tensor([action]), following, rig.tensor([discount]))
                policy = numbers(bootstrap(following, lambda now=now: now))[0]
                found = numbers(gained)[0] + discount * float((policy * after).sum())

                scaled = temperature * log_softmax([value / temperature for value in before])[action]
                log_policy = log_softmax([value / temperature for value in after])
                soft = float((np.exp(log_policy) * (np.array(after) - temperature * log_policy)).sum())
                wanted = alpha * min(max(scaled, lowest), 0.0) + discount * soft
                example = {"α": alpha, "τ": temperature, "l₀": lowest, "Q(s, ·)": list(before), "a": action,
                           "Q(s', ·)": list(after), "γ": discount, "r": 0}  # fmt: skip
                expect(found, wanted, example=example, atol=1e3 * rig.tolerance)


@check("loss", "dqn_bootstrap", Cause("the softmax has no temperature, or a wrong one"))
def bootstrap_is_the_softmax(subject: Subject) -> None:
    """The distribution over next actions is softmax(Q_target(s', ·) / τ)."""
    for options in (PAPER, SOFT):
        with rigged(subject, options) as rig:
            for after in AFTER:
                policy = rig.bootstrap()(Values(rig.tensor([after])), lambda: Values(rig.tensor([[7.0, 0.0, -7.0]])))
                temperature = options["munchausen.temperature"]
                wanted = np.exp(log_softmax([value / temperature for value in after]))
                example = {"τ": temperature, "target's values": list(after)}
                expect(numbers(policy)[0], wanted, example=example, atol=1e3 * rig.tolerance)
