"""Linear layers that start orthogonal (Saxe et al. 2014), so that no direction is drowned before learning begins."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import LinearConstructor


class MyVariantOptions(Section, name="my_variant"):
    """The layers at the start."""

    gain: float = Field(1.0, gt=0, description="what the orthogonal matrix is multiplied with")


def orthogonal(inputs: int, outputs: int, gain: float) -> nn.Module:
    """A linear layer with a random orthogonal matrix and no bias yet.

    dqn builds its network with torch's random state seeded for it and restored afterwards, so torch may draw here.
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
    gain = config[MyVariantOptions].gain
    return lambda inputs, outputs: orthogonal(inputs, outputs, gain)
