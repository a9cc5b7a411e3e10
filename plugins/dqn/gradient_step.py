"""One step of a torch optimiser, on vectors that hold all parameters and gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from framework.types import Batch, State, TDErrors
from plugins.dqn.agent import DQNPolicy

Moments: TypeAlias = dict[int, dict[str, Tensor]]
"""The state of a torch optimiser: index of a tensor → name → number or moment."""


class GradientStep:
    """Makes one step of a torch optimiser on the weighted mean of the losses.

    The gradients of all parameters are copied into vectors, as the parameters are (`plugins.dqn.weights`), and clipped
    there. The optimiser moves these vectors, if it was made for `policy.trainable()`, which is the quickest. It may
    have been made for the parameters instead.

    Args:
        max_norm: larger gradients are scaled down to this norm; 0: no limit.
        rate: returns the learning rate of the next step. Default: the optimiser's own.
    """

    def __init__(
        self,
        policy: DQNPolicy,
        optimizer: torch.optim.Optimizer,
        max_norm: float,
        rate: Callable[[], float] | None = None,
    ) -> None:
        self._policy, self._optimizer, self._max_norm, self._rate = policy, optimizer, max_norm, rate
        self._tensors = policy.online_tensors
        self._parameters = self._tensors.parameters
        vectors = self._tensors.vectors()
        moved = [tensor for group in optimizer.param_groups for tensor in group["params"]]
        self._moves_vectors = bool(moved) and all(any(one is vector for vector in vectors) for one in moved)
        self._gradients = [torch.zeros_like(vector) for vector in vectors]
        pieces: dict[int, Tensor] = {}
        for index, gradient in enumerate(self._gradients):
            pieces |= self._tensors.pieces(index, gradient)
        self._pieces = [pieces[place] for place in range(len(self._parameters))]
        self._norm: Tensor | None = None

    def apply(self, batch: Batch, errors: TDErrors) -> None:
        """Update the weights of the online network."""
        losses = cast(Tensor, errors.update)
        loss = (losses * self._policy.tensor(batch.weights)).mean()
        for parameter in self._parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        self._collect_gradients()
        if self._max_norm:
            self._clip_gradients()
        if self._rate is not None:
            for group in self._optimizer.param_groups:
                group["lr"] = self._rate()
        self._optimizer.step()

    def _collect_gradients(self) -> None:
        for parameter, piece in zip(self._parameters, self._pieces, strict=True):
            if parameter.grad is None:
                piece.zero_()
            else:
                piece.copy_(parameter.grad)
                parameter.grad = piece
        for vector, gradient in zip(self._tensors.vectors(), self._gradients, strict=True):
            vector.grad = gradient

    def _clip_gradients(self) -> None:
        """Do what `nn.utils.clip_grad_norm_` does, with fewer calls."""
        self._norm = norm = self._gradient_norm()
        if norm.device.type == "cpu" and float(norm) < self._max_norm - 1e-3:
            return  # the share would be 1; on a GPU, looking at the norm would wait for it
        share = (self._max_norm / (norm + 1e-6)).clamp(max=1)
        for gradient in self._gradients:
            gradient.mul_(share)

    def _gradient_norm(self) -> Tensor:
        norms = [torch.linalg.vector_norm(gradient) for gradient in self._gradients]
        return norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))

    def measures(self) -> Mapping[str, float]:
        """Return the norm of the last gradient, before it was scaled down."""
        return {"gradient_norm": float(self._gradient_norm() if self._norm is None else self._norm)}

    def state_dict(self) -> State:
        """Return the optimiser's state of each parameter, also where the optimiser moves vectors."""
        state = self._optimizer.state_dict()["state"]
        if self._moves_vectors:
            state = self._split(state)
        return {
            str(index): {key: value.cpu().numpy().copy() for key, value in moments.items()}
            for index, moments in state.items()
        }

    def load_state_dict(self, state: State) -> None:
        moments = {
            int(index): {
                key: _in_layout_of(self._parameters[int(index)], torch.from_numpy(np.array(value)))
                for key, value in saved.items()
            }
            for index, saved in state.items()
        }
        if self._moves_vectors:
            moments = self._joined(moments)
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})

    def _split(self, state: Moments) -> Moments:
        """Turn the state of vectors into that of parameters. What is no moment, such as a step counter, is repeated."""
        split: Moments = {}
        for index, moments in state.items():
            vector = self._gradients[index]
            places = self._tensors.pieces(index, vector)
            for key, value in moments.items():
                is_moment = value.shape == vector.shape
                pieces = self._tensors.pieces(index, value) if is_moment else dict.fromkeys(places, value)
                for place, piece in pieces.items():
                    split.setdefault(place, {})[key] = piece
        return dict(sorted(split.items()))

    def _joined(self, state: Moments) -> Moments:
        """Undo `_split`."""
        joined: Moments = {}
        for index, gradient in enumerate(self._gradients):
            shapes = {place: piece.shape for place, piece in self._tensors.pieces(index, gradient).items()}
            saved = {place: state[place] for place in shapes if place in state}
            for key, first in next(iter(saved.values()), {}).items():
                value = first
                if all(moments[key].shape == shapes[place] for place, moments in saved.items()):
                    value = torch.zeros_like(gradient, dtype=first.dtype)
                    pieces = self._tensors.pieces(index, value)
                    for place, moments in saved.items():
                        pieces[place].copy_(moments[key])
                joined.setdefault(index, {})[key] = value
        return joined


def _in_layout_of(parameter: Tensor, saved: Tensor) -> Tensor:
    """Return a saved moment in its parameter's memory layout: the fused optimiser reads both in memory order."""
    if saved.shape != parameter.shape:
        return saved  # the optimiser's step counter
    return torch.empty_like(parameter, dtype=saved.dtype, requires_grad=False).copy_(saved)
