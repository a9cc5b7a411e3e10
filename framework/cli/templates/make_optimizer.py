"""Stochastic gradient descent with Nesterov's momentum, instead of dqn's Adam."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.types import Optimizer
from plugins.dqn.agent import DQNPolicy
from plugins.dqn.gradient_step import GradientStep
from plugins.dqn.options import DQNOptions

CHECK_WITH = "dqn,chain"
"""The plugins that the command `check` adds, so that the composition is complete."""


class MyVariantOptions(Section, name="my_variant"):
    """The size of an update."""

    learning_rate: float = Field(0.03, gt=0, description="factor of the gradient in an update")
    momentum: float = Field(0.9, gt=0, lt=1, description="share of the previous update that is added to the next")


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_optimizer(policy: DQNPolicy, config: Config) -> Optimizer:
    options = config[MyVariantOptions]
    descent = torch.optim.SGD(
        policy.online.parameters(), options.learning_rate, momentum=options.momentum, nesterov=True
    )
    # multiplies the losses by the batch's weights, clips the gradient and makes the update
    return GradientStep(policy, descent, config[DQNOptions].max_grad_norm)
