"""The weights of a network: as tensors that follow another network's, and as arrays to save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from framework.errors import UsageError


class NetworkTensors:
    """A network's tensors, with its parameters in one vector for each dtype.

    The parameters become views of the vectors. So one call moves, copies or averages them all, where one call for each
    of them would take longer than the arithmetic of a small network. Their names, shapes and strides stay as they are.
    """

    def __init__(self, network: nn.Module) -> None:
        self.parameters = list[Tensor](network.parameters())
        self._network = network
        self._buffers = next(network.buffers(), None) is not None
        self._groups = _by_dtype(self.parameters)
        self._vectors = [self._empty_vector(group) for group in self._groups]
        self._places: list[int] = []

    def __call__(self) -> list[Tensor]:
        """Return the vectors, then the buffers.

        The buffers are searched at each call, because a module may replace a buffer by another tensor.
        """
        return self.vectors() + (self._find_buffers() if self._buffers else [])

    def vectors(self) -> list[Tensor]:
        """Return the vectors that hold the parameters: always the same tensors.

        If a parameter is no longer in its vector, after a deep copy or an assignment to its `data`, its numbers are
        copied into the vector, and it becomes a view again.
        """
        if self._places != self._find_places():
            self._gather()
        return self._vectors

    def pieces(self, index: int, vector: Tensor) -> dict[int, Tensor]:
        """Return the pieces of a tensor that has the size of vector `index`: place of a parameter → its piece.

        A piece is a view with the shape and the strides of its parameter.
        """
        views, offset = {}, 0
        for place in self._groups[index]:
            parameter = self.parameters[place]
            views[place] = vector.as_strided(parameter.shape, _strides_without_gaps(parameter), offset)
            offset += parameter.numel()
        return views

    def _empty_vector(self, group: list[int]) -> Tensor:
        numbers = sum(self.parameters[place].numel() for place in group)
        return self.parameters[group[0]].detach().new_empty(numbers)

    def _find_places(self) -> list[int]:
        """Return where in memory each parameter lies, counted from the first vector."""
        start = self._vectors[0].data_ptr() if self._vectors else 0
        return [parameter.data_ptr() - start for parameter in self.parameters]

    def _gather(self) -> None:
        for index, vector in enumerate(self._vectors):
            for place, piece in self.pieces(index, vector).items():
                parameter = self.parameters[place]
                piece.copy_(parameter.detach())
                parameter.data = piece
        self._places = self._find_places()

    def _find_buffers(self) -> list[Tensor]:
        known = {name for name, _ in self._network.named_parameters(remove_duplicate=False)}
        return [tensor for name, tensor in self._network.state_dict().items() if name not in known]


def _by_dtype(tensors: Sequence[Tensor]) -> list[list[int]]:
    """Return the places in the list of the tensors of each dtype."""
    groups: dict[torch.dtype, list[int]] = {}
    for place, tensor in enumerate(tensors):
        groups.setdefault(tensor.dtype, []).append(place)
    return list(groups.values())


def _strides_without_gaps(tensor: Tensor) -> tuple[int, ...]:
    """Return the strides of a copy of the tensor: also of a tensor that is a part of another one."""
    return torch.empty_like(tensor, device="meta").stride()


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
