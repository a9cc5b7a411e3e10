"""Soft double Q-learning: the online network selects by a softmax, the target network evaluates.

y = r + discount · Σ_a' π(a') · Q_target(s', a') with π = softmax(Q_online(s', ·) / τ). Near τ = 0 it is `double`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import Bootstrap, Output


class MyVariantOptions(Section, name="my_variant"):
    """How soft."""

    temperature: float = Field(0.05, gt=0, description="τ, in units of value: near 0 only the best action counts")


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def dqn_bootstrap(config: Config) -> Bootstrap:
    temperature = config[MyVariantOptions].temperature

    def distribution(target: Output, online: Callable[[], Output]) -> Float[Tensor, "B A"]:
        """How much each next action counts; every row sums to 1. Calling `online` costs a pass of the network."""
        return torch.softmax(online().values / temperature, dim=1)

    return distribution
