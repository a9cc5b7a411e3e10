"""Checks of heads that represent returns by quantiles, as QR-DQN and implicit quantile networks do."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from framework.conformance.check import Cause, NotApplicable, check, expect
from framework.conformance.fixtures.batches import A, B
from framework.conformance.subject import Subject
from plugins.dqn.conformance.references import quantile_huber, slope
from plugins.dqn.conformance.rig import FEATURES, AffineStream, FixedStream, Rig, numbers, rigged

QUANTILES = 5
KAPPAS = (1.0, 0.3)
SCALES = (1.0, 100.0)
"""Scales of the quantiles. The larger one makes errors of a hundred and more."""


def _output(rig: Rig, head: Any, scale: float) -> tuple[Any, Tensor]:
    """Return a head's output with random quantiles for B rows, and the leaf tensor of these quantiles."""
    stream = AffineStream(rig, head.width)
    output = head(rig.normal(B, FEATURES), stream)
    if not isinstance(getattr(output, "quantiles", None), Tensor):
        raise NotApplicable("the head's output has no tensor `quantiles`")
    if output.quantiles.shape[2] != QUANTILES:
        raise NotApplicable(
            f"the head has {output.quantiles.shape[2]} quantiles, which neither qr.quantiles nor iqn.samples sets"
        )
    leaf = (scale * output.quantiles).detach().requires_grad_(True)
    return type(output)(leaf, output.levels), leaf


@check(
    "loss",
    "dqn_head",
    Cause(
        "the loss is right only where the batch size equals the number of quantiles", "archsyscall/DistRL-TensorFlow2#1"
    ),
    Cause(
        "the maximum over actions is taken separately for each quantile",
        "Stable-Baselines-Team/stable-baselines3-contrib#17",
    ),
    Cause("γ is missing", "JuliaReinforcementLearning/ReinforcementLearningZoo.jl#53"),
    Cause("the factor |τ − 1{u < 0}| uses the wrong sign of u, or takes τ from the samples"),
)
def quantile_loss_is_that_of_the_paper(subject: Subject) -> None:
    """Loss and priority are the quantile Huber loss to the mixture of next returns, and the gradient is its slope."""
    for kappa, scale in itertools.product(KAPPAS, SCALES):
        values = {"qr.quantiles": QUANTILES, "qr.kappa": kappa, "iqn.samples": QUANTILES, "iqn.kappa": kappa}
        with rigged(subject, values) as rig:
            head = rig.head()
            online, leaf = _output(rig, head, scale)
            target, _ = _output(rig, head, scale)
            policy = rig.rng.dirichlet(np.ones(A), size=B)
            policy[0] = np.eye(A)[2]
            action = rig.rng.integers(A, size=B)
            reward, discount = scale * rig.rng.normal(size=B), rig.rng.uniform(size=B)
            discount[1] = 0.0
            loss, priority = head.loss(
                online, torch.from_numpy(action), target, *(rig.tensor(x) for x in (policy, reward, discount))
            )
            loss.sum().backward()
            assert leaf.grad is not None
            levels = np.broadcast_to(numbers(online.levels), (B, QUANTILES))
            for row in range(B):
                width = target.quantiles.shape[2]
                samples = (reward[row] + discount[row] * numbers(target.quantiles)[row].ravel()).tolist()
                weights = (np.repeat(policy[row], width) / width).tolist()

                def reference(
                    quantiles: np.ndarray, row: int = row, samples: Any = samples, weights: Any = weights
                ) -> float:
                    return quantile_huber(quantiles.tolist(), levels[row].tolist(), samples, weights, kappa)  # noqa: B023

                taken = numbers(leaf)[row, action[row]]
                example = {"κ": kappa, "quantiles": taken, "τ": levels[row], "r": reward[row], "γ": discount[row]}
                wanted = reference(taken)
                tolerance = {"rtol": 1e3 * rig.tolerance, "atol": 1e3 * rig.tolerance}
                expect(numbers(loss)[row], wanted, example=example, **tolerance)
                expect(numbers(priority)[row], wanted, example={"priority": "", **example}, **tolerance)
                gradient = numbers(leaf.grad)[row, action[row]]
                expect(gradient, slope(reference, taken), example={"gradient": "", **example}, atol=1e-3)


@check(
    "loss",
    "dqn_head",
    Cause(
        "the maximum over actions is taken separately for each quantile",
        "Stable-Baselines-Team/stable-baselines3-contrib#17",
    ),
    Cause(
        "the argmax over actions is taken separately for each τ",
        "JuliaReinforcementLearning/ReinforcementLearningZoo.jl#53",
    ),
)
def quantile_values_are_means(subject: Subject) -> None:
    """The value of an action, by which the agent compares actions, is the mean of its quantiles."""
    with rigged(subject, {"qr.quantiles": QUANTILES, "iqn.samples": QUANTILES}) as rig:
        output, leaf = _output(rig, rig.head(), 1.0)
        with torch.no_grad():
            # the first action has the best quantile, the second the best mean
            leaf[0] = rig.tensor(np.array([[-9.0, 0, 0, 0, 5], [1.0, 1, 1, 1, 1], [0.0, 0, 0, 0, 0]]))
        wanted = [[sum(row) / QUANTILES for row in rows] for rows in numbers(leaf).tolist()]
        example = {"quantiles": numbers(leaf)[0]}
        expect(numbers(output.values), np.array(wanted), example=example, atol=rig.tolerance)


@check("loss", "dqn_head", Cause("the levels are the ends of N equal parts instead of their midpoints"))
def fixed_levels_are_the_middles(subject: Subject) -> None:
    """Fixed quantiles have the levels τ = (i + ½) / N, and they are exactly the stream's numbers."""
    with rigged(subject, {"qr.quantiles": QUANTILES}) as rig:
        head = rig.head()
        table = rig.normal(B, A, head.width)
        output = head(rig.normal(B, FEATURES), FixedStream(table))
        expect(numbers(output.quantiles), numbers(table), example="quantiles of a stream of fixed numbers")
        wanted = [(index + 0.5) / QUANTILES for index in range(QUANTILES)]
        found = np.broadcast_to(numbers(output.levels), (B, QUANTILES))
        expect(found, np.array([wanted] * B), example=f"levels of {QUANTILES} quantiles", atol=rig.tolerance)
