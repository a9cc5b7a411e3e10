"""The setup of dqn's checks: a policy of the composition, in float64 if its modules allow it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from framework.assembly.builder import Builder
from framework.conformance.check import NotApplicable
from framework.conformance.fixtures.batches import A, B, some_batch
from framework.conformance.subject import Subject
from framework.spaces import Record
from framework.types import Batch, Counters, Spaces, TDErrors

FEATURES = 11
"""Number of features for heads and streams that are built alone: a prime that no other size equals."""

HIDDEN = 13

Leaves: TypeAlias = Mapping[str, gymnasium.Space[Any]]

NOW = Counters(env_steps=100, frames=100, updates=10, episodes=5)


@dataclass
class Rig:
    """A policy that the composition's plugins built, with three actions and small hidden layers.

    `tolerance` is the rounding error that checks allow for numbers of about 1.
    """

    builder: Builder
    spaces: Spaces
    policy: Any
    rng: np.random.Generator
    tolerance: float

    @property
    def online(self) -> Any:
        return self.policy.online

    @property
    def target(self) -> Any:
        return self.policy.target

    def batch(self, **given: Any) -> Batch:
        """Return a batch of `B` random transitions. The arguments replace its fields."""
        if self.spaces.observation.dtype == np.uint8:
            given = {"obs": self._images(), "next_obs": self._images(), **given}
        return some_batch(self.spaces, self.rng, **given)

    def _images(self) -> np.ndarray:
        """Return images with columns of random brightness. Images of pure noise would look alike to a network."""
        shape = self.spaces.observation.shape or ()
        columns = self.rng.integers(256, size=(B, *[1] * (len(shape) - 1), shape[-1]), dtype=np.uint8)
        return np.broadcast_to(columns, (B, *shape)).copy()

    def tensor(self, array: Any) -> Any:
        """Return an array as the network takes it: observations of several leaves as leaf → tensor."""
        return self.policy.tensors(np.asarray(array))

    def normal(self, *shape: int) -> Tensor:
        return self.tensor(self.rng.normal(size=shape))

    def loss(self, batch: Batch) -> TDErrors:
        """Build the composition's loss for this policy, and return the errors that it computes for a batch."""
        return self.builder.loss(self.policy, self.builder.exploration(self.spaces))(batch, NOW)

    def part(self, slot: str, **arguments: Any) -> Any:
        """Return the function that fills one of dqn's slots."""
        return self.builder.slots.constructor(slot, **arguments)

    def head(self) -> Any:
        """Build the composition's head for `FEATURES` features, on the policy's device."""
        build = self.part("dqn_head", spaces=self.spaces, config=self.builder.config, seeds=self.builder.seeds)
        return build(FEATURES).to(self.policy.device)

    def stream(self, width: int) -> nn.Module:
        """Build the composition's stream for `FEATURES` features, on the policy's device."""
        linear = self.part("dqn_linear", config=self.builder.config, seeds=self.builder.seeds)
        build = self.part("dqn_stream", linear=linear, config=self.builder.config)
        return build(FEATURES, A, width).to(self.policy.device)

    def bootstrap(self) -> Callable[..., Tensor]:
        return self.part("dqn_bootstrap", config=self.builder.config)

    def randomise_weights(self) -> None:
        """Add a random number to each weight of both networks."""
        with torch.no_grad():
            for parameter in (*self.online.parameters(), *self.target.parameters()):
                parameter.add_(0.5 * self.normal(*parameter.shape))

    def change_online_network(self) -> None:
        """Change every parameter and buffer of the online network: floats by random numbers, integers by 3."""
        with torch.no_grad():
            for tensor in self.online.state_dict().values():
                tensor.add_(self.normal(*tensor.shape) if tensor.is_floating_point() else 3)


class AffineStream(nn.Module):
    """A stream whose numbers [B, A, width] are a random affine function of the features."""

    def __init__(self, rig: Rig, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(rig.normal(A * width, FEATURES)), nn.Parameter(rig.normal(A * width))

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.linear(features, self.weight, self.bias).reshape(len(features), A, -1)


class FixedStream(nn.Module):
    """A stream that gives the same numbers [B, A, width] for all features."""

    def __init__(self, numbers: Tensor) -> None:
        super().__init__()
        self.numbers = nn.Parameter(numbers)

    def forward(self, features: Tensor) -> Tensor:
        return self.numbers


@contextmanager
def rigged(
    subject: Subject, values: Mapping[str, Any] | None = None, decorate: Any = None, leaves: Leaves | None = None
) -> Iterator[Rig]:
    """Build a `Rig`. At the end, torch's default dtype and number of threads are restored.

    Args:
        values: options. Those that the composition does not have are ignored.
        decorate: a plugin that takes part while the policy is built.
        leaves: name → space: observations of these leaves in the place of the environment's.

    Raises:
        NotApplicable: if the policy has no online or no target network of torso, stream and head.
    """
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    try:
        yield _exact(partial(_rig, subject, values or {}, decorate, leaves))
    finally:
        torch.set_default_dtype(before)
        torch.set_num_threads(threads)


def _exact(build: Callable[[float], Rig]) -> Rig:
    """Build the rig in float64, or in float32 if the modules do not compute in float64."""
    torch.set_default_dtype(torch.float64)
    rig = build(1e-9)
    try:
        rig.policy.action_values(rig.batch().obs, explore=False)
    except RuntimeError:
        torch.set_default_dtype(torch.float32)
        return build(1e-4)
    return build(1e-9)


def _rig(subject: Subject, values: Mapping[str, Any], decorate: Any, leaves: Leaves | None, tolerance: float) -> Rig:
    builder = subject.builder({"dqn.hidden": HIDDEN, "run.device": "cpu", **values})
    spaces = replace(subject.unmasked, action=gymnasium.spaces.Discrete(A))
    if leaves is not None:
        spaces = replace(spaces, observation=Record(leaves), frame=Record(leaves), frame_stack=1)
    policy = _decorated(builder, spaces, decorate)
    for name in ("online", "target"):
        network = getattr(policy, name, None)
        if not all(isinstance(getattr(network, part, None), nn.Module) for part in ("torso", "stream", "head")):
            raise NotApplicable(f"the policy has no '{name}' network of torso, stream and head")
    return Rig(builder, spaces, policy, np.random.default_rng(subject.seed), tolerance)


def _decorated(builder: Builder, spaces: Spaces, decorate: Any) -> Any:
    if decorate is None:
        return builder.policy(spaces)
    builder.plugins.manager.register(decorate)
    try:
        return builder.policy(spaces)
    finally:
        # all checks share the builder
        builder.plugins.manager.unregister(decorate)


@contextmanager
def watched(module: nn.Module, note: Callable[[Tensor], Any]) -> Iterator[None]:
    """Call `note` with the input of a module in each of its passes."""
    watch = module.register_forward_pre_hook(lambda _, inputs: note(inputs[0]))
    yield
    watch.remove()


def first_weights(torso: nn.Module, dimensions: int) -> nn.Module:
    """Return the first module with a parameter of at least this number of dimensions."""
    for module in torso.modules():
        if any(parameter.ndim >= dimensions for parameter in module.parameters(recurse=False)):
            return module
    raise NotApplicable("the torso has no weights")


def state_of(network: nn.Module) -> dict[str, np.ndarray]:
    """Return copies of the parameters and buffers of a network, by name."""
    return {name: numbers(tensor).copy() for name, tensor in network.state_dict().items()}


def modes_of(network: nn.Module) -> set[bool]:
    """Return the values that `training` has in the modules of a network."""
    return {module.training for module in network.modules()}


def tensors_of(output: Any) -> dict[str, Tensor]:
    """Return the tensors among an output's fields, by name.

    Raises:
        NotApplicable: if the output is no dataclass, or if B and A are not the first two axes of a tensor with both.
    """
    if not is_dataclass(output):
        raise NotApplicable(f"the head's output is a {type(output).__name__}, not a dataclass of tensors")
    found = {field.name: getattr(output, field.name) for field in fields(output) if field.init}
    tensors = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    for name, tensor in tensors.items():
        if {B, A} <= set(tensor.shape) and tensor.shape[:2] != (B, A):
            raise NotApplicable(f"'{name}' of the head's output does not have the shape [B, A, …]")
    return tensors


def with_changed_tensors(output: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Return the output with `change` applied to each of its tensors [B, A, …].

    Raises:
        NotApplicable: if the output has no such tensor.
    """
    found = {name: change(tensor) for name, tensor in tensors_of(output).items() if tensor.shape[:2] == (B, A)}
    if not found:
        raise NotApplicable("the head's output has no tensor [B, A, …]")
    return _replaced(output, found)


def row_of(output: Any, row: int) -> Any:
    """Return an output of one row. Tensors that all rows share are kept."""
    found = {name: tensor[row : row + 1] for name, tensor in tensors_of(output).items() if len(tensor) == B}
    return _replaced(output, found)


def _replaced(output: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the output with other tensors, and without functions, which would compute from those before."""
    functions = {field.name: None for field in fields(output) if callable(getattr(output, field.name))}
    return replace(output, **functions, **tensors)


def one_hot(actions: Tensor) -> Tensor:
    """Return the one-hot distribution [B, A] of these actions."""
    return nn.functional.one_hot(actions, A).to(torch.get_default_dtype())


def numbers(tensor: Tensor) -> np.ndarray:
    """Return a tensor's numbers as an array, without its graph."""
    return tensor.detach().cpu().numpy()


def require_filled_by(subject: Subject, slot: str, *names: str) -> None:
    """Raise `NotApplicable` unless one of these plugins fills a slot."""
    if not subject.fills(slot, *names):
        raise NotApplicable(f"{slot} is filled by {subject.owner(slot)}")
