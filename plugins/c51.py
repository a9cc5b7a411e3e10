"""C51 (Bellemare et al. 2017, algorithm 1) learns the return of each action as a distribution over fixed atoms.

Paper → here (Bellemare et al. 2017, section 5):

| option | paper | here | why |
| --- | --- | --- | --- |
| `c51.atoms` | 51 | 51 | |
| `c51.v_min` | −10 | -10.0 | |
| `c51.v_max` | 10 | 10.0 | |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from pydantic import model_validator
from torch import Tensor, nn

from framework.config import Config, Field, Section
from framework.conformance.check import Check, Purpose, checks_in
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import HeadConstructor
from plugins.dqn.maths import bootstrapped, taken


class C51Options(Section, name="c51"):
    """The atoms of the return distribution."""

    atoms: int = Field(51, ge=2, description="number of atoms, evenly spaced")
    v_min: float = Field(-10.0, description="the lowest atom; lower returns count as this one")
    v_max: float = Field(10.0, description="the highest atom; higher returns count as this one")

    @model_validator(mode="after")
    def _ordered(self) -> C51Options:
        if self.v_min >= self.v_max:
            raise ValueError(f"v_min = {self.v_min} must lie below v_max = {self.v_max}")
        return self


def project(
    probabilities: Float[Tensor, "B M"], positions: Float[Tensor, "B M"], support: Float[Tensor, " N"]
) -> Float[Tensor, "B N"]:
    """Distribute probability masses at any positions over the atoms of an evenly spaced support (eq. 7).

    A mass between two atoms is split between them in proportion to its nearness. A mass outside the support goes to
    the nearest end. The sum stays the same. The mean stays the same if no mass lies outside.
    """
    spacing = support[1] - support[0]
    clipped = positions.clamp(support[0], support[-1])
    nearness = (1 - (clipped[:, None, :] - support[None, :, None]).abs() / spacing).clamp(min=0)
    return (nearness * probabilities[:, None, :]).sum(dim=2)


@dataclass(frozen=True)
class Categorical:
    """Log-probabilities [B, A, N] of the atoms, and the means [B, A]."""

    logs: Float[Tensor, "B A N"]
    values: Float[Tensor, "B A"]


class CategoricalHead(nn.Module):
    """A distribution over the atoms for each action.

    The loss is the cross-entropy between the projected target and the distribution of the action taken. The priority is
    their Kullback-Leibler divergence (Hessel et al. 2018), the cross-entropy without the entropy of the target: it is 0
    where nothing is left to learn.
    """

    def __init__(self, atoms: int, v_min: float, v_max: float) -> None:
        super().__init__()
        self.width = atoms
        self.support: Tensor
        # the options set it, so it is no weight: weights of another run must not bring theirs
        self.register_buffer("support", torch.linspace(v_min, v_max, atoms), persistent=False)

    def forward(self, features: Float[Tensor, "B F"], stream: Callable[[Tensor], Tensor]) -> Categorical:
        logs = torch.log_softmax(stream(features), dim=2)
        return Categorical(logs, (logs.exp() * self.support).sum(dim=2))

    def distribution(self, output: Categorical) -> tuple[Float[Tensor, "B A N"], Float[Tensor, "B A N"]]:
        """Return the atoms and their probabilities."""
        return self.support.expand_as(output.logs), output.logs.exp()

    def loss(
        self,
        online: Categorical,
        action: Int64[Tensor, " B"],
        target: Categorical,
        next_distribution: Float[Tensor, "B A"],
        reward: Float[Tensor, " B"],
        discount: Float[Tensor, " B"],
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Return (cross-entropy, Kullback-Leibler divergence) of each transition."""
        following = (next_distribution[:, :, None] * target.logs.exp()).sum(dim=1)
        # with a discount of 0 all atoms move to the reward, so the distribution does not matter: replace possible NaNs
        following = torch.where(discount[:, None] == 0, torch.full_like(following, 1 / self.width), following)
        positions = bootstrapped(reward[:, None], discount[:, None], self.support[None, :].expand_as(following))
        goal = project(following, positions, self.support)
        loss = -(goal * taken(online.logs, action)).sum(dim=1)
        entropy = torch.special.entr(goal).sum(dim=1)
        return loss, (loss - entropy).detach().clamp(min=0)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [C51Options]


@hookimpl
def dqn_head(config: Config) -> HeadConstructor:
    options = config[C51Options]
    return lambda features: CategoricalHead(options.atoms, options.v_min, options.v_max)


@hookimpl
def conformance_values(purpose: Purpose) -> Mapping[str, Any]:
    return {"c51.v_min": -2.0, "c51.v_max": 6.0} if purpose == "parts" else {}


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.dqn.conformance import categorical, options

    return [*checks_in(categorical), *checks_in(options)]
