"""A deeper stream: any number of hidden layers between the features and the numbers for each action."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from plugins.dqn.hookspecs import LinearConstructor, StreamConstructor


class MyVariantOptions(Section, name="my_variant"):
    """The option of this plugin. Set it with `--set 'my_variant.widths=[256,128]'`."""

    widths: tuple[int, ...] = Field((128, 64), description="units of each hidden layer, from the first to the last")


class MyVariantStream(nn.Module):
    """Maps features [B, F] to numbers [B, A, width]. The head decides how many numbers it needs: the `width`.

    `linear` builds the layers, so that the stream also works with plugins that replace them, such as `noisy`.
    """

    def __init__(
        self, linear: LinearConstructor, features: int, actions: int, width: int, hidden: tuple[int, ...]
    ) -> None:
        super().__init__()
        self._shape = (actions, width)
        layers: list[nn.Module] = []
        for units in hidden:
            layers += [linear(features, units), nn.ReLU()]
            features = units
        self.layers = nn.Sequential(*layers, linear(features, actions * width))

    def forward(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B A width"]:
        return cast(Tensor, self.layers(features).unflatten(1, self._shape))


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def dqn_stream(linear: LinearConstructor, config: Config) -> StreamConstructor:
    # dqn calls the function that this hook returns when the numbers of features, actions and outputs are known
    widths = config[MyVariantOptions].widths
    return lambda features, actions, width: MyVariantStream(linear, features, actions, width, widths)
