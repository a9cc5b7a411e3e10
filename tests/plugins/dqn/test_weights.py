"""Parameters in one vector: the same numbers as with one tensor each, and the same saved files."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from framework.seeding import Seeds
from framework.types import Batch, TDErrors
from plugins.dqn.agent import DQNPolicy
from plugins.dqn.gradient_step import GradientStep
from plugins.dqn.head import ScalarHead
from plugins.dqn.networks import SMALL, ActionStream, Convolutional, QNetwork
from plugins.dqn.optimizers import RectifiedAdam, optimizer_for
from plugins.dqn.options import DQNOptions
from plugins.dqn.weights import NetworkTensors, as_arrays, follow
from plugins.layer_norm import normalised

B, A = 6, 3
WEIGHTS = np.linspace(0.5, 1.5, B)
BATCH: Any = Batch(
    np.arange(B), np.zeros(B), np.zeros(B, int), np.zeros(B), np.zeros(B), WEIGHTS, lambda: None, lambda: None
)

Make = Callable[[Iterable[Tensor]], torch.optim.Optimizer]

MAKERS: dict[str, Make] = {
    "adam": lambda parameters: optimizer_for(parameters, DQNOptions(optimizer="adam")),
    "adamw": lambda parameters: optimizer_for(parameters, DQNOptions(optimizer="adamw")),
    "rmsprop": lambda parameters: optimizer_for(parameters, DQNOptions(optimizer="rmsprop")),
    "radam": lambda parameters: RectifiedAdam(parameters, 1e-3, 1e-8),
}


def network() -> QNetwork:
    torso = normalised(Convolutional((2, 20, 21), SMALL))
    return QNetwork(torso, normalised(ActionStream(nn.Linear, torso.features, A, 1, 8)), ScalarHead("huber"))


def build(make: Callable[[], QNetwork] = network) -> DQNPolicy:
    return DQNPolicy(make, torch.device("cpu"), Seeds(0))


def losses(policy: DQNPolicy, number: int) -> Tensor:
    images = np.random.default_rng(number).integers(0, 256, (B, 2, 20, 21), dtype=np.uint8)
    return policy.online(torch.from_numpy(images)).values.square().sum(dim=1)


def learn(policy: DQNPolicy, step: GradientStep, updates: Iterable[int]) -> None:
    for number in updates:
        loss = losses(policy, number)
        step.apply(BATCH, TDErrors(loss=loss.detach().numpy(), priority=np.zeros(B), update=loss))


def readable_update(policy: DQNPolicy, optimizer: torch.optim.Optimizer, max_norm: float, number: int) -> None:
    """What `GradientStep` computes, with the library's functions and one tensor for each parameter."""
    optimizer.zero_grad()
    (losses(policy, number) * torch.from_numpy(WEIGHTS).to(torch.get_default_dtype())).mean().backward()
    if max_norm:
        nn.utils.clip_grad_norm_(policy.online.parameters(), max_norm)
    optimizer.step()


def tensors_of(policy: DQNPolicy) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in policy.online.state_dict().items()}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("vectors", [True, False])
def test_a_step_is_that_of_one_tensor_for_each_parameter_to_the_last_bit(name: str, vectors: bool) -> None:
    make, policy, reference = MAKERS[name], build(), build()
    optimizer = make(reference.online.parameters())
    step = GradientStep(policy, make(policy.trainable() if vectors else policy.online.parameters()), 0.0)
    for number in range(12):  # the first steps of RAdam follow another formula
        learn(policy, step, [number])
        readable_update(reference, optimizer, 0.0, number)
    wanted = tensors_of(reference)
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in tensors_of(policy).items())


@pytest.mark.parametrize("max_norm", [1e-3, 0.5, 1e6])
@pytest.mark.usefixtures("float64")
def test_gradients_are_clipped_as_the_library_clips_them(max_norm: float) -> None:
    policy, reference = build(), build()
    optimizer = torch.optim.SGD(reference.online.parameters(), 0.1)
    step = GradientStep(policy, torch.optim.SGD(policy.trainable(), 0.1), max_norm)
    for number in range(3):
        learn(policy, step, [number])
        readable_update(reference, optimizer, max_norm, number)
    wanted = tensors_of(reference)
    assert all(torch.allclose(tensor, wanted[key], rtol=1e-12) for key, tensor in tensors_of(policy).items())


@pytest.mark.parametrize("name", MAKERS)
def test_the_saved_state_is_that_of_one_tensor_for_each_parameter(name: str) -> None:
    """Either way loads what the other one saved, and goes on with the same numbers."""
    make, saved, weights = MAKERS[name], {}, {}
    for vectors in (True, False):
        policy = build()
        step = GradientStep(policy, make(policy.trainable() if vectors else policy.online.parameters()), 10.0)
        assert step.state_dict() == {}
        learn(policy, step, range(8))
        saved[vectors], weights[vectors] = step.state_dict(), policy.state_dict()
    assert list(saved[True]) == list(saved[False]) == [str(index) for index in range(len(saved[True]))]
    for index, moments in saved[False].items():
        assert moments.keys() == saved[True][index].keys()
        assert all(np.array_equal(value, saved[True][index][key]) for key, value in moments.items())
    after = []
    for vectors in (True, False):
        policy = build()
        step = GradientStep(policy, make(policy.trainable() if vectors else policy.online.parameters()), 10.0)
        policy.load_state_dict(weights[vectors])
        step.load_state_dict(saved[not vectors])
        learn(policy, step, range(8, 11))
        after.append(tensors_of(policy))
    assert all(torch.equal(tensor, after[1][key]) for key, tensor in after[0].items())


def test_names_shapes_strides_and_numbers_of_parameters_stay() -> None:
    plain = network()
    together = copy.deepcopy(plain)
    (vector,) = NetworkTensors(together)()
    found = dict(together.named_parameters())
    assert vector.numel() == sum(parameter.numel() for parameter in plain.parameters())
    assert list(found) == [name for name, _ in plain.named_parameters()]
    for name, parameter in plain.named_parameters():
        assert torch.equal(found[name], parameter)
        assert found[name].stride() == parameter.stride()
        assert found[name].untyped_storage().data_ptr() == vector.untyped_storage().data_ptr()


def test_a_parameter_that_left_its_vector_comes_back() -> None:
    policy = build()
    step = GradientStep(policy, torch.optim.SGD(policy.trainable(), 0.1), 0.0)
    before = policy.online_tensors.vectors()
    for parameter in policy.online.parameters():
        parameter.data = parameter.data + 1.0
    given = tensors_of(policy)
    policy.update_target(1.0)
    assert all(torch.equal(tensor, given[name]) for name, tensor in policy.target.state_dict().items())
    assert all(torch.equal(tensor, given[name]) for name, tensor in tensors_of(policy).items())
    learn(policy, step, [0])
    assert any(not torch.equal(tensor, given[name]) for name, tensor in tensors_of(policy).items())
    assert all(one is other for one, other in zip(before, policy.online_tensors.vectors(), strict=True))


def test_a_copy_learns_alone() -> None:
    policy = build()
    original = GradientStep(policy, torch.optim.SGD(policy.trainable(), 0.1, momentum=0.9), 0.0)
    learn(policy, original, range(2))
    copied, step = copy.deepcopy((policy, original))
    kept = tensors_of(policy)
    learn(copied, step, range(2, 5))
    assert all(torch.equal(tensor, kept[name]) for name, tensor in tensors_of(policy).items())
    learn(policy, original, range(2, 5))
    moved = tensors_of(copied)
    assert all(torch.equal(tensor, moved[name]) for name, tensor in tensors_of(policy).items())


class Mixed(QNetwork):
    """A network with parameters of two dtypes, one that needs no gradient if asked for, a buffer and an unused one."""

    def __init__(self, frozen: bool) -> None:
        plain = network()
        super().__init__(plain.torso, plain.stream, plain.head)
        self.factor = nn.Parameter(torch.ones((), dtype=torch.float64), requires_grad=not frozen)
        self.unused = nn.Parameter(torch.ones(3))
        self.register_buffer("count", torch.tensor(0))

    def forward(self, obs: Any) -> Any:
        self.count = self.count + 1
        output = super().forward(obs)
        return type(output)((output.values * self.factor).to(torch.get_default_dtype()))


@pytest.mark.parametrize("frozen", [True, False])
def test_two_dtypes_frozen_and_unused_parameters_and_buffers(frozen: bool) -> None:
    policy, reference = (build(lambda: Mixed(frozen)) for _ in range(2))
    optimizer = MAKERS["adam"](reference.online.parameters())
    step = GradientStep(policy, MAKERS["adam"](policy.trainable()), 0.0)
    for number in range(3):
        learn(policy, step, [number])
        readable_update(reference, optimizer, 0.0, number)
    wanted = tensors_of(reference)
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in tensors_of(policy).items())
    assert (policy.online.factor.item() == 1) == frozen
    saved = step.state_dict()
    step.load_state_dict(saved)
    again = step.state_dict()
    assert all(np.array_equal(value, again[i][key]) for i, moments in saved.items() for key, value in moments.items())
    policy.update_target(1.0)
    assert all(torch.equal(tensor, policy.target.state_dict()[key]) for key, tensor in tensors_of(policy).items())
    assert policy.target.count == 3


@pytest.mark.parametrize("fraction", [0.005, 0.5, 1.0])
def test_following_is_one_tensor_at_a_time(fraction: float) -> None:
    policy = build()
    with torch.no_grad():
        for parameter in policy.online.parameters():
            parameter.mul_(1.5).add_(0.1)
    slow, fast = as_arrays(policy.target), as_arrays(policy.online)
    follow(policy.target_tensors(), policy.online_tensors(), fraction)
    for name, moved in as_arrays(policy.target).items():
        wanted = torch.lerp(torch.from_numpy(slow[name]), torch.from_numpy(fast[name]), fraction).numpy()
        assert np.array_equal(moved, fast[name] if fraction == 1 else wanted), name
