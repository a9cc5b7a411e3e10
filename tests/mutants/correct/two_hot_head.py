"""Values by classification (Farebrother et al. 2024, section 3.1): the target, a number, is split between two bins.

The value is the mean of a softmax over fixed places, the loss the cross-entropy to a target that stands with its two
nearest places in proportion to its nearness (a "two-hot" label). The priority is the error of the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import HeadConstructor

CHECK_WITH = "dqn,chain"


class TwoHotOptions(Section, name="two_hot"):
    """The places."""

    reach: float = Field(12.0, gt=0, description="the places lie evenly in [−reach, reach]")
    places: int = Field(49, ge=2, description="how many")


class Scores(NamedTuple):
    """What a network said: `scores` [B, A, places], and their means."""

    scores: Tensor
    values: Tensor


class TwoHotHead(nn.Module):
    def __init__(self, reach: float, places: int) -> None:
        super().__init__()
        self.width = places
        self.reach = reach

    @property
    def step(self) -> float:
        return 2 * self.reach / (self.width - 1)

    def forward(self, features: Tensor, stream: nn.Module) -> Scores:
        scores = stream(features)
        places = torch.arange(self.width, device=scores.device, dtype=scores.dtype) * self.step - self.reach
        return Scores(scores, torch.einsum("bap,p->ba", scores.softmax(dim=-1), places))

    def loss(
        self, online: Scores, action: Tensor, target: Scores, policy: Tensor, reward: Tensor, discount: Tensor
    ) -> tuple[Tensor, Tensor]:
        following = torch.where(discount > 0, torch.einsum("ba,ba->b", policy, target.values), 0.0)
        goal = (reward + discount * following).detach()
        where = (goal.clamp(-self.reach, self.reach) + self.reach) / self.step
        # a reward that is no number has no place; its share stays NaN, and so does the loss
        below = where.nan_to_num().floor().long().clamp(max=self.width - 2)
        share = where - below
        surprise = -online.scores.gather(1, action[:, None, None].expand(-1, 1, self.width)).squeeze(1).log_softmax(1)
        lower = surprise.gather(1, below[:, None]).squeeze(1)
        upper = surprise.gather(1, below[:, None] + 1).squeeze(1)
        value = online.values.gather(1, action[:, None]).squeeze(1)
        return (1 - share) * lower + share * upper, (goal - value.detach()).abs()


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [TwoHotOptions]


@hookimpl
def dqn_head(config: Config) -> HeadConstructor:
    options = config[TwoHotOptions]

    def make(features: int) -> nn.Module:
        return TwoHotHead(options.reach, options.places)

    return make
