"""Noisy networks (Fortunato et al. 2018) explore through noise in the weights, and learn how large the noise is.

y = (μ_w + σ_w ⊙ ε_w) x + μ_b + σ_b ⊙ ε_b (eq. 9), with factorised noise ε_w[i, j] = f(ε_i) f(ε_j), ε_b[i] = f(ε_i)
and f(x) = sgn(x) √|x| (eqs. 10 and 11). Every forward pass in training draws new noise, the same for all its rows.
Evaluations use the means μ alone. The agent acts greedily: with ε-greedy it would explore twice. Only until learning
starts (`learning.starts`) its actions are uniformly random, as in DQN (Mnih et al. 2015, "replay start size"):
the noise of weights that have learnt nothing prefers the same action nearly everywhere. `pqn` learns from the first
rollout on, but its first steps are random, too.

Paper → here (Fortunato et al. 2018, section 3.2):

| option | paper | here | why |
| --- | --- | --- | --- |
| `noisy.sigma` | 0.5 (factorised noise) | 0.5 | |
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from framework.config import Config, Field, Section
from framework.conformance.check import Check, checks_in
from framework.defaults.exploration import EpsilonGreedy
from framework.hooks import hookimpl
from framework.options import LearningOptions
from framework.seeding import Seeds
from framework.types import Exploration
from plugins.dqn.hookspecs import LinearConstructor
from plugins.dqn.sources import RandomSource


class NoisyOptions(Section, name="noisy", searched={"sigma": "log(0.05, 1.0)"}):
    """The initial noise."""

    sigma: float = Field(0.5, ge=0, description="σ0: each σ starts at σ0 / √inputs; with 0 there is never any noise")


class NoisyLinear(nn.Module):
    """A linear layer [B, inputs] → [B, outputs] whose weights are μ + σ ⊙ ε in training and μ otherwise."""

    def __init__(self, inputs: int, outputs: int, sigma: float, random: RandomSource) -> None:
        super().__init__()
        self.random = random
        self.noisy = sigma > 0
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(outputs, inputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))
        self.weight_sigma = nn.Parameter(torch.full((outputs, inputs), sigma * bound))
        self.bias_sigma = nn.Parameter(torch.full((outputs,), sigma * bound))

    def forward(self, x: Float[Tensor, "B inputs"]) -> Float[Tensor, "B outputs"]:
        """Return the outputs; all rows of a pass share its noise."""
        mean = functional.linear(x, self.weight, self.bias)
        if not (self.training and self.noisy):
            return mean
        outputs, inputs = self.weight.shape
        noise = self.random.normal(inputs + outputs, like=x)
        noise = noise.sign() * noise.abs().sqrt()
        of_input, of_output = noise[:inputs], noise[inputs:]
        # (σ ⊙ f_out f_inᵀ) x = f_out ⊙ σ (f_in ⊙ x): this needs no matrix of noise
        return mean + functional.linear(x * of_input, self.weight_sigma, self.bias_sigma) * of_output


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [NoisyOptions]


@hookimpl
def dqn_linear(config: Config, seeds: Seeds) -> LinearConstructor:
    random = RandomSource("noisy", seeds)
    sigma = config[NoisyOptions].sigma
    return lambda inputs, outputs: NoisyLinear(inputs, outputs, sigma, random)


@hookimpl
def make_exploration(config: Config, seeds: Seeds) -> Exploration:
    starts = config[LearningOptions].starts
    return EpsilonGreedy(lambda counters: float(counters.env_steps < starts), seeds.generator("exploration"))


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.dqn.conformance import noisy, options

    return [*checks_in(noisy), *checks_in(options)]
