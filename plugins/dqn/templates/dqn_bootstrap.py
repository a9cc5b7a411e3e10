"""Soft double Q-learning: the online network selects next actions by a softmax, the target network evaluates them.

y = r + discount · Σ_a' π(a') · Q_target(s', a') with π = softmax(Q_online(s', ·) / τ). With τ near 0 this is double
Q-learning, as in the plugin `double`.
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
    """The option of this plugin. Set it with `--set my_variant.temperature=0.1`."""

    temperature: float = Field(0.05, gt=0, description="τ, in units of value; near 0 only the best action counts")


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def dqn_bootstrap(config: Config) -> Bootstrap:
    # dqn calls this hook once, while it builds the loss, and calls `distribution` for every batch
    temperature = config[MyVariantOptions].temperature

    def distribution(target: Output, online: Callable[[], Output]) -> Float[Tensor, "B A"]:
        """Return π, the distribution over next actions [B, A]. Each row sums to 1.

        `online()` runs the online network on the next observations; it costs one pass of the network. `target` is the
        target network's output there: this bootstrap does not need it.
        """
        return torch.softmax(online().values / temperature, dim=1)

    return distribution
