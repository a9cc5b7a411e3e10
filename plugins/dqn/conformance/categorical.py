"""Checks of heads that represent returns as distributions over fixed atoms, as C51 does."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import A
from framework.conformance.subject import Subject
from plugins.dqn.conformance.references import log_softmax, projection, slope
from plugins.dqn.conformance.rig import FEATURES, FixedStream, Rig, numbers, rigged

ATOMS = 5
SUPPORT = np.linspace(-2.0, 2.0, ATOMS)
OPTIONS = {"c51.atoms": ATOMS, "c51.v_min": -2.0, "c51.v_max": 2.0}
SATURATING_LOGIT = 80.0
"""A logit so large that rounding leaves all the probability mass on its atom."""

LOST = Cause("where b is an integer, l = u, and both shares of the mass are 0", "Curt-Park/rainbow-is-all-you-need#76")
LOST_TOO = Cause("the same mistake in another form", "AgileRL/AgileRL#229")


def _head(rig: Rig) -> Any:
    head = rig.head()
    if head.width != ATOMS:
        raise NotApplicable(f"the options c51.* do not set the number of atoms: the head has {head.width}, not {ATOMS}")
    return head


def _output(rig: Rig, head: Any, logits: np.ndarray) -> tuple[Any, FixedStream]:
    stream = FixedStream(rig.tensor(logits))
    return head(rig.normal(len(logits), FEATURES), stream), stream


def _goal(rig: Rig, head: Any, logits: np.ndarray, policy: np.ndarray, reward: float, discount: float) -> np.ndarray:
    """Return the projected target m, computed from the loss −Σ m ln p of an online network with uniform p.

    The loss is then Σm · ln N, and its gradient with respect to the logits is Σm / N − m.
    """
    target, _ = _output(rig, head, logits[None])
    output, stream = _output(rig, head, np.zeros((1, A, ATOMS)))
    loss, _ = head.loss(
        output, torch.tensor([1]), target, rig.tensor(policy[None]),
        rig.tensor(np.array([reward])), rig.tensor(np.array([discount])),
    )  # fmt: skip
    loss.sum().backward()
    assert stream.numbers.grad is not None
    mass = numbers(loss)[0] / np.log(ATOMS)
    return np.asarray(mass / ATOMS - numbers(stream.numbers.grad)[0, 1])


@check("loss", "dqn_head", LOST, LOST_TOO, Cause("targets beyond the support are not clipped to it"))
def projection_keeps_the_mass_and_the_mean(subject: Subject) -> None:
    """The projected target sums to 1, and its mean is r + γ z, clipped to the support."""
    with rigged(subject, OPTIONS) as rig:
        head = _head(rig)
        policy = np.eye(A)[2]
        rewards, discounts = (0.0, 1.0, -1.0, 0.5, 3.0, -3.0), (1.0, 0.5, 0.0)
        for reward, discount, atom in itertools.product(rewards, discounts, range(ATOMS)):
            logits = np.zeros((A, ATOMS))
            logits[2, atom] = SATURATING_LOGIT
            found = _goal(rig, head, logits, policy, reward, discount)
            position = reward + discount * SUPPORT[atom]
            example = {"support": SUPPORT, "r": reward, "γ": discount, "all the mass on": SUPPORT[atom]}
            expect(found.sum(), 1.0, example={**example, "compared": "the mass"}, atol=1e3 * rig.tolerance)
            mean = float((found * SUPPORT).sum())
            wanted = float(np.clip(position, -2, 2))
            expect(mean, wanted, example={**example, "compared": "the mean"}, atol=1e3 * rig.tolerance)


@check("loss", "dqn_head", LOST, Cause("the shares of the two neighbouring atoms are swapped"))
def projection_shares_each_mass_between_its_neighbours(subject: Subject) -> None:
    """The projected target is that of the paper, for a mixture of the next actions' return distributions."""
    with rigged(subject, OPTIONS) as rig:
        head = _head(rig)
        for reward, discount in itertools.product((0.0, 0.3, -1.7, 2.5), (0.0, 0.4, 0.99)):
            logits, policy = rig.rng.normal(size=(A, ATOMS)), np.array([0.25, 0.0, 0.75])
            mixture = policy @ np.exp([log_softmax(row) for row in logits])
            wanted = projection(mixture.tolist(), (reward + discount * SUPPORT).tolist(), SUPPORT.tolist())
            found = _goal(rig, head, logits, policy, reward, discount)
            example = {"support": SUPPORT, "r": reward, "γ": discount, "distribution": mixture}
            expect(found, wanted, example=example, atol=1e3 * rig.tolerance)


@check("loss", "dqn_head", Cause("the softmax runs over the actions"), Cause("prediction and target are swapped"))
def categorical_loss_is_the_cross_entropy(subject: Subject) -> None:
    """The loss is −Σ m ln p(s, a) with the projected target m, the gradient its slope, the priority Σ m ln(m / p)."""
    with rigged(subject, OPTIONS) as rig:
        head = _head(rig)
        for action, reward in itertools.product(range(A), (0.3, -40.0)):
            logits, following = rig.rng.normal(size=(1, A, ATOMS)), rig.rng.normal(size=(1, A, ATOMS))
            output, stream = _output(rig, head, logits)
            target, _ = _output(rig, head, following)
            loss, priority = head.loss(
                output, torch.tensor([action]), target, rig.tensor(np.eye(A)[:1]),
                rig.tensor(np.array([reward])), rig.tensor(np.array([0.9])),
            )  # fmt: skip
            probabilities = np.exp(log_softmax(following[0, 0].tolist()))
            goal = projection(probabilities.tolist(), (reward + 0.9 * SUPPORT).tolist(), SUPPORT.tolist())

            def entropy(numbers: np.ndarray, goal: np.ndarray = goal, action: int = action) -> float:
                return -float((goal * log_softmax(numbers[action].tolist())).sum())

            example = {"logits": logits[0], "action": action, "projected target": goal}
            expect(numbers(loss), np.array([entropy(logits[0])]), example=example, atol=1e3 * rig.tolerance)
            divergence = entropy(logits[0]) + sum(mass * math.log(mass) for mass in goal if mass > 0)
            expect(
                numbers(priority), np.array([divergence]), example={"priority": "", **example}, atol=1e3 * rig.tolerance
            )
            loss.sum().backward()
            assert stream.numbers.grad is not None
            gradient = numbers(stream.numbers.grad)[0]
            expect(gradient, slope(entropy, logits[0]), example={"gradient": "", **example}, atol=1e-4)


@check(
    "loss",
    "dqn_head",
    Cause("actions are compared by their most likely atom", "Stable-Baselines-Team/stable-baselines3-contrib#17"),
)
def categorical_values_are_means(subject: Subject) -> None:
    """The value of an action is the mean of its distribution, and the best action is the one with the largest mean."""
    with rigged(subject, OPTIONS) as rig:
        # the most likely atom of action 0 is the best one, but action 1 has the best mean
        wanted = np.array([[0.2, 0.0, 0.3, 0.0, 0.5], [0.0, 0.0, 0.0, 1.0, 0.0], [0.9, 0.0, 0.1, 0.0, 0.0]])
        output, _ = _output(rig, _head(rig), np.log(np.maximum(wanted, 1e-30))[None])
        means = wanted @ SUPPORT
        example = {"support": SUPPORT, "distributions": wanted}
        expect(numbers(output.values)[0], means, example=example, atol=1e3 * rig.tolerance)
        require(int(output.values.argmax()) == 1, example=example, expected="action 1", got=numbers(output.values))
