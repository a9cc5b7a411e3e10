"""Checks of noisy layers (Fortunato et al. 2018) at the start of a run."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import B
from framework.conformance.subject import Subject
from plugins.dqn.conformance.rig import Rig, numbers, rigged

INPUTS, OUTPUTS = 5, 3
SIGMA = 0.5


def _layer(rig: Rig, inputs: int = INPUTS, outputs: int = OUTPUTS) -> nn.Module:
    return rig.part("dqn_linear", config=rig.builder.config, seeds=rig.builder.seeds)(inputs, outputs)


def _sigmas(layer: nn.Module) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {name: tensor for name, tensor in layer.named_parameters() if "sigma" in name}
    if not found:
        raise NotApplicable("the layer has no parameter with 'sigma' in its name")
    return found


def _affine(layer: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """Return (weights [outputs, inputs], biases) of one pass over the unit vectors and 0, which share the noise."""
    inputs = next(iter(layer.parameters())).shape[-1]
    found = numbers(layer(torch.cat([torch.eye(inputs), torch.zeros(1, inputs)])))
    return (found[:-1] - found[-1]).T, found[-1]


def _noise(layer: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """Return the noise (ε_w, ε_b) of one pass in training."""
    weight, bias = _affine(layer.eval())
    noisy_weight, noisy_bias = _affine(layer.train())
    sigma = SIGMA / math.sqrt(weight.shape[1])
    return (noisy_weight - weight) / sigma, (noisy_bias - bias) / sigma


@check(
    "policy",
    "dqn_linear",
    Cause("noise is drawn once per episode or update, not once per pass", "Kaixhin/Rainbow#2"),
    Cause("each row of the batch gets different noise"),
)
def noise_is_fresh_in_each_pass(subject: Subject) -> None:
    """In training, each pass draws new noise, which all rows of the batch share."""
    with rigged(subject, {"noisy.sigma": SIGMA}) as rig:
        layer = _layer(rig).train()
        rows = rig.normal(1, INPUTS).repeat(B, 1)
        first, second = numbers(layer(rows)), numbers(layer(rows))
        example = f"the same row {B} times, in one pass"
        expect(first, np.broadcast_to(first[0], first.shape), example=example, atol=rig.tolerance)
        example = "the same rows in two passes in training"
        require(not np.isclose(first, second).any(), example=example, expected="different outputs", got=first[0])


@check(
    "policy",
    "dqn_linear",
    Cause("the noise stays on in evaluation", "IntelLabs/coach#368"),
    Cause("the layer ignores its attribute `training`", "pytorch/rl#3069"),
)
def evaluation_has_no_noise(subject: Subject) -> None:
    """Evaluation uses the mean weights alone, even after noisy passes; acting with exploration is noisy."""
    with rigged(subject, {"noisy.sigma": SIGMA}) as rig:
        obs = rig.batch().obs
        noisy = rig.policy.action_values(obs, explore=True)
        # no pass in training in between: it would change the statistics of a normalisation
        first, again = (rig.policy.action_values(obs, explore=False) for _ in range(2))
        expect(again, first, example="values in two evaluations", atol=rig.tolerance)
        example = "values in training and in evaluation"
        require(not np.allclose(noisy, first), example=example, expected="noise in training", got=noisy)
        layer = _layer(rig)
        before = _affine(layer.eval())
        _affine(layer.train())
        weight, bias = _affine(layer.eval())
        example = "weights in two evaluations of a layer, with passes in training between them"
        expect(weight, before[0], example=example, atol=10 * rig.tolerance)
        mean = dict(layer.named_parameters())
        if {"weight", "bias"} <= set(mean):
            expect(weight, numbers(mean["weight"]), example="weights in evaluation", atol=10 * rig.tolerance)
            expect(bias, numbers(mean["bias"]), example="biases in evaluation", atol=10 * rig.tolerance)


@check(
    "policy",
    "dqn_linear",
    Cause("the target network never draws new noise", "Kaixhin/Rainbow#2"),
    Cause("the target network is in evaluation mode"),
)
def target_noise_is_fresh_in_each_pass(subject: Subject) -> None:
    """While learning, the target network is noisy too, and draws new noise in each pass."""
    with rigged(subject, {"noisy.sigma": SIGMA}) as rig:
        rig.loss(rig.batch())
        obs = rig.tensor(rig.batch().obs)
        with torch.no_grad():
            first, second = (numbers(rig.target(obs).values) for _ in range(2))
        example = "two passes of the target network after a batch was learnt"
        require(not np.allclose(first, second), example=example, expected="different values", got=first)


@check("policy", "dqn_linear", Cause("the copy of the online network includes a copy of its random generator"))
def target_repeats_no_noise_of_the_online_network(subject: Subject) -> None:
    """From the first pass on, the target network's noise differs from the online network's."""
    with rigged(subject, {"noisy.sigma": SIGMA}) as rig:
        obs = rig.tensor(rig.batch().obs)
        with torch.no_grad():
            online, target = numbers(rig.online.train()(obs).values), numbers(rig.target.train()(obs).values)
        example = "the first pass of each network, with equal weights"
        require(not np.allclose(online, target), example=example, expected="different values", got=online)


@check(
    "policy",
    "dqn_linear",
    Cause("σ₀ is not the paper's, or is divided by the number of inputs instead of its root", "pytorch/rl#3069"),
)
def sigma_starts_as_in_the_paper(subject: Subject) -> None:
    """Each σ starts at σ₀ / √inputs, and each μ within ± 1 / √inputs; σ₀ is 0.5 unless it is set."""
    for values, sigma in (({}, None), ({"noisy.sigma": 0.125}, 0.125)):
        with rigged(subject, values) as rig:
            sigma = rig.builder.config.flat().get("noisy.sigma", SIGMA) if sigma is None else sigma
            layer = _layer(rig, 16, OUTPUTS)
            found = _sigmas(layer)
            for name, tensor in found.items():
                example = {"σ₀": sigma, "inputs": 16, "parameter": name}
                expect(numbers(tensor), np.full(tuple(tensor.shape), sigma / 4), example=example, atol=rig.tolerance)
            for name, tensor in layer.named_parameters():
                if name not in found:
                    example = {"inputs": 16, "parameter": name}
                    small = bool((tensor.abs() <= 0.25).all())
                    require(small, example=example, expected="numbers within ± 0.25", got=numbers(tensor))


@check(
    "policy",
    "dqn_linear",
    Cause("each weight has independent noise"),
    Cause("the bias uses the noise of the inputs instead of the outputs"),
)
def noise_is_factorised(subject: Subject) -> None:
    """ε_w[i, j] = f_i · g_j and ε_b[i] = f_i, with an f_i for each output and a g_j for each input (eqs. 10 and 11)."""
    with rigged(subject, {"noisy.sigma": SIGMA}) as rig:
        layer = _layer(rig)
        _sigmas(layer)
        for_weights, for_biases = _noise(layer)
        of_inputs = for_weights[0] / for_biases[0]
        example = {"ε of the weights": for_weights, "ε of the biases": for_biases}
        expect(for_weights, np.outer(for_biases, of_inputs), example=example, atol=1e4 * rig.tolerance)


# f(x)² = |x| for a normal x has mean √(2/π) and standard deviation √(1 − 2/π) = 0.603. Over 20,000 draws, six standard
# errors are 0.0256. P(|z| > 6) < 2e-9 for a normal z; the skew of |x| leaves it far below 1e-6. f itself has mean 0 and
# standard deviation √0.798 = 0.893, so six standard errors are 0.038.
@check("policy", "dqn_linear", Cause("f(x) = sgn(x) √|x| is missing"), false_alarm=1e-6)
def noise_is_the_signed_root_of_normal_numbers(subject: Subject) -> None:
    """The noise f has mean 0, and f² has mean √(2/π), the mean of |x| for a normal x (eq. 10)."""
    with rigged(subject, {"noisy.sigma": SIGMA}) as rig:
        layer = _layer(rig, 1, 1_000)
        _sigmas(layer)
        drawn = np.concatenate([_noise(layer)[1] for _ in range(20)])
        example = "20,000 numbers f of outputs"
        expect((drawn**2).mean(), math.sqrt(2 / math.pi), example=f"mean of f², {example}", atol=0.0256)
        expect(drawn.mean(), 0.0, example=f"mean of f, {example}", atol=0.038)
