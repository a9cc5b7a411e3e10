"""Random numbers for the layers of a network and of its copies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from framework.seeding import Seeds
from framework.types import State


class RandomSource:
    """One stream for all the layers that share it and for all their copies.

    A target network is a deep copy: with a stream of its own it would repeat the online network's numbers. A module
    that keeps its source in the attribute `random` has the stream saved and restored with the policy.
    """

    def __init__(self, name: str, seeds: Seeds) -> None:
        self.name = name
        self.generator = seeds.generator(name)

    def normal(self, count: int, like: Tensor) -> Float[Tensor, " count"]:
        """Standard normal numbers of the dtype and on the device of `like`."""
        return torch.from_numpy(self.generator.standard_normal(count)).to(like)

    def uniform(self, rows: int, columns: int, like: Tensor) -> Float[Tensor, "rows columns"]:
        """Numbers from U[0, 1) of the dtype and on the device of `like`."""
        return torch.from_numpy(self.generator.random((rows, columns))).to(like)

    def __deepcopy__(self, memo: dict[int, Any]) -> RandomSource:
        return self


def sources_of(network: nn.Module) -> Iterable[RandomSource]:
    """Each source that a module of the network keeps, once."""
    kept = (getattr(module, "random", None) for module in network.modules())
    return {source.name: source for source in kept if isinstance(source, RandomSource)}.values()


def save_sources(network: nn.Module) -> dict[str, State]:
    """Name → the generator's state."""
    return {source.name: source.generator.bit_generator.state for source in sources_of(network)}


def load_sources(network: nn.Module, state: State) -> None:
    """Restore the streams that the state names; weights that were saved alone name none."""
    for source in sources_of(network):
        if source.name in state:
            source.generator.bit_generator.state = state[source.name]
