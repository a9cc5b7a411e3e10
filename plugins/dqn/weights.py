"""The weights of a network: as tensors that follow another network's, and as arrays to save."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from framework.errors import UsageError


class NetworkTensors:
    """Lists a network's parameters and buffers.

    Without buffers, the parameters are looked up once, because the search takes as long as the arithmetic. With
    buffers, the search is repeated at each call, because a module may replace a buffer by another tensor.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network, self._parameters = network, list[Tensor](network.parameters())
        self._buffers = next(network.buffers(), None) is not None

    def __call__(self) -> list[Tensor]:
        return list(self._network.state_dict().values()) if self._buffers else self._parameters


def follow(behind: list[Tensor], ahead: list[Tensor], fraction: float) -> None:
    """behind ← behind + fraction · (ahead − behind), in place. Integer tensors are copied."""
    with torch.no_grad():
        for slow, fast in zip(behind, ahead, strict=True):
            if fraction == 1 or not slow.is_floating_point():
                slow.copy_(fast)
            else:
                slow.lerp_(fast, fraction)


def as_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """Return copies of a module's tensors: name → array."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()}


def load_arrays(module: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Load arrays that `as_arrays` returned, except constants, which earlier versions saved, too.

    Raises:
        UsageError: if the arrays belong to another network.
    """
    constants = {name for name, _ in module.named_buffers()} - set(module.state_dict())
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items() if name not in constants}
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise UsageError(f"the weights belong to another network: {error}") from error
