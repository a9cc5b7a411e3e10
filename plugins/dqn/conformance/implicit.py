"""Checks of implicit quantile networks: the levels τ and their embedding."""

from __future__ import annotations

import math

import numpy as np
import torch

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import A, B
from framework.conformance.subject import Subject
from plugins.dqn.conformance.rig import FEATURES, AffineStream, numbers, rigged

OPTIONS = {"iqn.samples": 5, "iqn.policy_samples": 3, "iqn.even": 4, "iqn.cosines": 6}


@check(
    "policy",
    "dqn_head",
    Cause("the levels are drawn only once"),
    Cause("all rows get the same levels"),
    Cause("the target network gets the levels of the online network"),
)
def levels_are_fresh_in_training(subject: Subject) -> None:
    """In training, each pass of either network draws new levels from [0, 1) for every row."""
    with rigged(subject, OPTIONS) as rig:
        head = rig.head().train()
        stream, features = AffineStream(rig, head.width), rig.normal(B, FEATURES)
        obs = rig.tensor(rig.batch().obs)
        networks = (rig.online.train(), rig.target.train())
        for what, passes in (
            ("of a head", [head(features, stream).levels for _ in range(2)]),
            ("of the online network and of its target", [network(obs).levels for network in networks]),
        ):
            drawn = np.stack([numbers(levels) for levels in passes])
            expect(drawn.shape, (2, B, 5), example=f"the shape of the levels of two passes {what}")
            inside = ((drawn >= 0) & (drawn < 1)).all()
            require(inside, example=f"levels {what}", expected="numbers in [0, 1)", got=drawn[0])
            example = f"how many different levels two passes {what} have, with {B} rows and 5 levels each"
            expect(len(np.unique(drawn)), drawn.size, example=example)


@check(
    "loss",
    "dqn_head",
    Cause("the samples that select the next action also evaluate it: the target is the maximum of noise"),
)
def values_have_samples_of_their_own(subject: Subject) -> None:
    """In training, action values are means over K levels that are drawn apart from those of the loss (eq. 2)."""
    options = {**OPTIONS, "iqn.samples": 8, "iqn.policy_samples": 8}
    with rigged(subject, options) as rig:
        head = rig.head().train()
        stream, rows = AffineStream(rig, head.width), 4_000
        output = head(rig.normal(1, FEATURES).expand(rows, FEATURES), stream)
        values, means = numbers(output.values), numbers(output.quantiles.mean(dim=2))
        example = {"compared": f"action values and means of the quantiles of one observation, {rows} times"}
        for action in range(A):
            both = np.corrcoef(values[:, action], means[:, action])[0, 1]
            require(abs(both) < 0.1, example=example, expected="no correlation", got=both)


@check("policy", "dqn_head", Cause("an evaluation draws random levels"))
def levels_are_even_in_evaluation(subject: Subject) -> None:
    """In evaluation, the levels of every row are the midpoints (i + ½) / N of N equal parts, in every pass."""
    with rigged(subject, OPTIONS) as rig:
        head = rig.head().eval()
        stream = AffineStream(rig, head.width)
        for _ in range(2):
            levels = numbers(head(rig.normal(B, FEATURES), stream).levels)
            wanted = [[(index + 0.5) / 4 for index in range(4)]] * B
            expect(np.broadcast_to(levels, (B, levels.shape[1])), np.array(wanted), example="levels in evaluation")


@check(
    "policy",
    "dqn_head",
    Cause("π is missing, or the cosines begin with i = 1"),
    Cause("the embedding is added to the features instead of multiplied, or has no ReLU"),
)
def quantiles_are_those_of_the_embedding(subject: Subject) -> None:
    """Z_τ(s, a) = f(ψ(s) ⊙ ReLU(Σ_i w_ij cos(π i τ) + b_j)), with i from 0 (Dabney et al. 2018b, eq. 4)."""
    with rigged(subject, OPTIONS) as rig:
        head = rig.head()
        layer = next(iter(getattr(head, "embedding", ())), None)
        if not isinstance(layer, torch.nn.Linear):
            raise NotApplicable("the head has no layers `embedding` that begin with a linear one")
        stream, features = AffineStream(rig, head.width), rig.normal(B, FEATURES)
        weight, bias = numbers(layer.weight), numbers(layer.bias)
        for training in (True, False):
            output = head.train(training)(features, stream)
            levels = np.broadcast_to(numbers(output.levels), (B, output.quantiles.shape[2]))
            for row, index in np.ndindex(*levels.shape):
                level = float(levels[row, index])
                cosines = [math.cos(math.pi * i * level) for i in range(weight.shape[1])]
                embedded = [max(0.0, math.fsum(w * cosines) + b) for w, b in zip(weight, bias, strict=True)]
                joined = numbers(features)[row] * np.array(embedded)
                wanted = numbers(stream(rig.tensor(joined)[None]))[0].reshape(A)
                found = numbers(output.quantiles)[row, :, index]
                example = {"τ": level, "ψ(s)": numbers(features)[row], "actions": A}
                expect(found, wanted, example=example, atol=1e3 * rig.tolerance)
