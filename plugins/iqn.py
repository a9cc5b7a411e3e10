"""Implicit quantile networks (Dabney et al. 2018b) learn the quantiles of each action's return at any levels τ.

Z_τ(s, a) = f(ψ(s) ⊙ φ(τ))_a with φ_j(τ) = ReLU(Σ_{i<n} cos(π i τ) w_ij + b_j) (eq. 4): the torso is ψ, the stream f.
In training, the levels are drawn from U[0, 1) for each row of a batch. Those of the action values (K of them, eq. 2)
are drawn apart from those of the loss (N and N', eq. 3): one sample that both selects an action and evaluates it makes
the target too large. With noisy layers they also have a noise of their own. Evaluations always use the same evenly
spaced levels.

Paper → here (Dabney et al. 2018b):

| option | paper | here | why |
| --- | --- | --- | --- |
| `iqn.samples` | 8 (figure 2) | 8 | |
| `iqn.policy_samples` | 32 | 32 | |
| `iqn.even` | – | 32 | even levels make evaluations repeatable |
| `iqn.cosines` | 64 | 64 | |
| `iqn.kappa` | 1 | 1.0 | |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from framework.config import Config, Field, Section
from framework.conformance.check import Check, checks_in
from framework.hooks import hookimpl
from framework.seeding import Seeds
from plugins.dqn.hookspecs import HeadConstructor
from plugins.dqn.quantiles import QuantileLoss, Quantiles
from plugins.dqn.sources import RandomSource


class IQNOptions(Section, name="iqn", searched={"samples": "choice(8, 16, 32)"}):
    """The levels, their embedding and the loss."""

    samples: int = Field(8, ge=1, description="N and N' of eq. 3: random levels of the loss for each row")
    policy_samples: int = Field(
        32, ge=1, description="K of eq. 2: random levels for each row in training whose mean is the action value"
    )
    even: int = Field(32, ge=1, description="evenly spaced levels in an evaluation")
    cosines: int = Field(64, ge=1, description="n, the number of cosines that embed a level")
    kappa: float = Field(1.0, gt=0, description="κ of the Huber loss: larger errors count linearly")


def cosines(levels: Float[Tensor, "B N"], count: int) -> Float[Tensor, "B N count"]:
    """cos(π i τ) for i = 0 … count − 1."""
    return torch.cos(math.pi * torch.arange(count).to(levels) * levels[:, :, None])


class ImplicitQuantileHead(QuantileLoss):
    """Quantiles at random levels in training, at evenly spaced ones otherwise. The loss is eq. 3."""

    width = 1

    def __init__(self, features: int, options: IQNOptions, random: RandomSource) -> None:
        super().__init__(options.kappa)
        self.random = random
        self._options = options
        self.embedding = nn.Sequential(nn.Linear(options.cosines, features), nn.ReLU())

    def forward(self, features: Float[Tensor, "B F"], stream: Callable[[Tensor], Tensor]) -> Quantiles:
        if not self.training:
            count = self._options.even
            even = ((torch.arange(count).to(features) + 0.5) / count).expand(features.shape[0], count)
            return Quantiles(self.at(even, features, stream), even)
        levels = self._random_levels(self._options.samples, features)

        def mean() -> Float[Tensor, "B A"]:
            others = self._random_levels(self._options.policy_samples, features)
            return self.at(others, features, stream).mean(dim=2)

        return Quantiles(self.at(levels, features, stream), levels, mean)

    def _random_levels(self, count: int, features: Float[Tensor, "B F"]) -> Float[Tensor, "B N"]:
        return self.random.uniform(len(features), count, like=features)

    def at(
        self, levels: Float[Tensor, "B N"], features: Float[Tensor, "B F"], stream: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "B A N"]:
        """Return the quantiles at these levels."""
        rows = (features[:, None, :] * self.embedding(cosines(levels, self._options.cosines))).flatten(0, 1)
        quantiles: Tensor = stream(rows).reshape(*levels.shape, -1)
        return quantiles.transpose(1, 2)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [IQNOptions]


@hookimpl
def dqn_head(config: Config, seeds: Seeds) -> HeadConstructor:
    options = config[IQNOptions]
    random = RandomSource("iqn", seeds)
    return lambda features: ImplicitQuantileHead(features, options, random)


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.dqn.conformance import implicit, options, quantiles

    shared = [quantiles.quantile_loss_is_that_of_the_paper, quantiles.quantile_values_are_means]
    return [*checks_in(implicit), *shared, *checks_in(options)]
