"""Linear layers that start with orthogonal weights (Saxe et al. 2014), so that signals neither explode nor vanish."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import LinearConstructor


class MyVariantOptions(Section, name="my_variant"):
    """The option of this plugin. Set it with `--set my_variant.gain=0.5`."""

    gain: float = Field(1.0, gt=0, description="factor of the orthogonal weights at the start")


def orthogonal(inputs: int, outputs: int, gain: float) -> nn.Module:
    """Return a linear layer with random orthogonal weights and biases of 0.

    The weights come from torch's global random generator. This is safe here: dqn seeds it before it builds the network
    and restores it afterwards.
    """
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def dqn_linear(config: Config) -> LinearConstructor:
    # the stream calls the function that this hook returns once for each of its layers
    gain = config[MyVariantOptions].gain
    return lambda inputs, outputs: orthogonal(inputs, outputs, gain)
