"""Checks of implicit quantile networks: their levels and how these are embedded."""

from __future__ import annotations

import math

import numpy as np
import torch

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import A, B
from framework.conformance.subject import Subject
from plugins.dqn.conformance.rig import FEATURES, Affine, numbers, rigged

OPTIONS = {"iqn.samples": 5, "iqn.even": 4, "iqn.cosines": 6}


@check(
    "policy",
    "dqn_head",
    Cause("the levels are drawn once, and then stay"),
    Cause("all rows share their levels"),
    Cause("the target's levels are those of the online network"),
)
def levels_are_fresh_in_training(subject: Subject) -> None:
    """Each pass in training draws levels from [0, 1), for each row its own, and for the target network, too."""
    with rigged(subject, OPTIONS) as rig:
        head = rig.head().train()
        stream, features = Affine(rig, head.width), rig.normal(B, FEATURES)
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
            example = f"two passes {what}, {B} rows and 5 levels each: different numbers among them"
            expect(len(np.unique(drawn)), drawn.size, example=example)


@check("policy", "dqn_head", Cause("an evaluation draws its levels, too"))
def levels_are_even_in_evaluation(subject: Subject) -> None:
    """An evaluation takes the middles (i + ½) / N of N equal parts, for all rows and always."""
    with rigged(subject, OPTIONS) as rig:
        head = rig.head().eval()
        stream = Affine(rig, head.width)
        for _ in range(2):
            levels = numbers(head(rig.normal(B, FEATURES), stream).levels)
            wanted = [[(index + 0.5) / 4 for index in range(4)]] * B
            expect(np.broadcast_to(levels, (B, levels.shape[1])), np.array(wanted), example="levels in evaluation")


@check(
    "policy",
    "dqn_head",
    Cause("π is left out, or the cosines begin with i = 1"),
    Cause("the embedding is added to the features, or has no ReLU"),
)
def quantiles_are_those_of_the_embedding(subject: Subject) -> None:
    """Z_τ(s, a) = f(ψ(s) ⊙ ReLU(Σ_i w_ij cos(π i τ) + b_j)), i from 0: the paper's equation 4."""
    with rigged(subject, OPTIONS) as rig:
        head = rig.head()
        layer = getattr(head, "embedding", None)
        if not isinstance(layer, torch.nn.Linear):
            raise NotApplicable("the head keeps no linear layer `embedding`")
        stream, features = Affine(rig, head.width), rig.normal(B, FEATURES)
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
