"""Random numbers for the layers of a network and of its copies, such as noisy layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from framework.seeding import Seeds
from framework.types import State


class RandomSource:
    """One random generator, shared by layers and all their copies.

    The target network is a deep copy of the online network. A copied generator would repeat the online network's
    numbers, so a deep copy of a source is the source itself. A module keeps its source in the attribute `random`: the
    policy then saves and restores the generator.
    """

    def __init__(self, name: str, seeds: Seeds) -> None:
        self.name = name
        self.generator = seeds.generator(name)

    def normal(self, count: int, like: Tensor) -> Float[Tensor, " count"]:
        """Draw standard normal numbers, with the dtype and the device of `like`."""
        return torch.from_numpy(self.generator.standard_normal(count)).to(like)

    def uniform(self, rows: int, columns: int, like: Tensor) -> Float[Tensor, "rows columns"]:
        """Draw numbers from U[0, 1), with the dtype and the device of `like`."""
        return torch.from_numpy(self.generator.random((rows, columns))).to(like)

    def __deepcopy__(self, memo: dict[int, Any]) -> RandomSource:
        return self


def sources_of(network: nn.Module) -> Iterable[RandomSource]:
    """Return the sources that the network's modules keep in `random`, one for each name."""
    kept = (getattr(module, "random", None) for module in network.modules())
    return {source.name: source for source in kept if isinstance(source, RandomSource)}.values()


def save_sources(network: nn.Module) -> dict[str, State]:
    """Return the state of each source's generator: source name → state."""
    return {source.name: source.generator.bit_generator.state for source in sources_of(network)}


def load_sources(network: nn.Module, state: State) -> None:
    """Restore the generators that the state names. Weights that were saved on their own name none."""
    for source in sources_of(network):
        if source.name in state:
            source.generator.bit_generator.state = state[source.name]
