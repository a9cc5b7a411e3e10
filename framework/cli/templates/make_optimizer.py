"""Stochastic gradient descent with Nesterov's momentum, in the place of dqn's Adam."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.types import Optimizer
from plugins.dqn.agent import DQNPolicy, GradientStep
from plugins.dqn.options import DQNOptions

CHECK_WITH = "dqn,chain"
"""What the command `check` adds to this plugin."""


class MyVariantOptions(Section, name="my_variant"):
    """The step."""

    learning_rate: float = Field(0.03, gt=0, description="of the gradient")
    momentum: float = Field(0.9, gt=0, lt=1, description="share of the last step that is taken again")


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_optimizer(policy: DQNPolicy, config: Config) -> Optimizer:
    options = config[MyVariantOptions]
    descent = torch.optim.SGD(
        policy.online.parameters(), options.learning_rate, momentum=options.momentum, nesterov=True
    )
    # weights the losses of the batch, clips the gradient and takes the step
    return GradientStep(policy, descent, config[DQNOptions].max_grad_norm)
