"""Checks of gradients: each parameter gets the one that differences of the loss show, and moves with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from framework.conformance.check import Cause, NotApplicable, check, require
from framework.conformance.fixtures.batches import B
from framework.conformance.subject import Subject
from framework.errors import UnsupportedSpace
from framework.types import Counters
from plugins.dqn.conformance.rig import Rig, numbers, rigged, state_of
from plugins.dqn.conformance.wiring import Witness
from plugins.dqn.sources import load_sources, save_sources

DIRECTIONS = 6
"""Random directions in which a tensor of parameters is moved."""

TRIED = 30
"""Directions that are tried until so many without a bend are found."""

STEP = 1e-6
"""How far, for a direction of length 1: in float64 the differences of a smooth loss are then exact to about 1e-9."""

BEND = 1e-4
"""Largest relative difference of the slopes on both sides of a place where the loss is smooth."""

NEAR = 1e-3
"""Largest angle between right gradients."""

LEAVES = {"picture": Box(0, 255, (2, 12, 12), np.uint8), "place": Box(-1, 1, (4,), np.float64), "room": Discrete(5)}
"""Observations of several leaves, which a composition may meet in another environment than its own."""

SMALL = 1e-8
"""Slopes below this share of the loss are rounding."""


@check(
    "loss",
    "make_loss",
    Cause("a part of the network is cut off from the gradient, by `detach`, `no_grad` or `.data`"),
    Cause("a layer has a backward pass of its own that is not the derivative of its forward pass"),
)
def each_parameter_gets_the_gradient_of_the_loss(subject: Subject) -> None:
    """The gradient of each tensor of parameters is a positive multiple of what differences of the loss show.

    What is learnt from is held fixed, as in every semi-gradient method, and so are the random numbers of the pass. A
    multiple is allowed because papers scale gradients on their way, as Wang et al. 2016 do before the last convolution.
    """
    with rigged(subject) as rig:
        _compare(rig)
    with suppress(UnsupportedSpace), rigged(subject, leaves=LEAVES) as rig:
        _compare(rig)


@check("optimizer", "make_optimizer", Cause("a part of the network is not among the optimiser's parameters"))
def an_update_moves_each_parameter_that_has_a_gradient(subject: Subject) -> None:
    """Every tensor of parameters whose gradient is not 0 in three updates has moved after them."""
    with rigged(subject) as rig:
        _stir(rig)
        optimizer = rig.builder.optimizer(rig.policy, Counters())
        before, due = state_of(rig.online), set(dict(rig.online.named_parameters()))
        for _ in range(3):
            batch = rig.batch()
            losses = rig.loss(batch).update
            if not isinstance(losses, Tensor):
                raise NotApplicable("the loss gives the optimiser no tensor")
            losses.sum().backward()
            due &= {name for name, one in rig.online.named_parameters() if one.grad is not None and one.grad.any()}
            optimizer.apply(batch, rig.loss(batch))
        after = state_of(rig.online)
        still = sorted(name for name in due if np.array_equal(before[name], after[name]))
        require(not still, example="parameters with a gradient", expected="all have moved", got=f"not {still}")


def _compare(rig: Rig) -> None:
    if torch.get_default_dtype() != torch.float64:
        raise NotApplicable("the network computes in float32 alone: differences of its loss are too rough")
    _stir(rig)
    weights = rig.tensor(rig.rng.uniform(0.5, 1.5, size=B))
    loss, again = _loss_and_its_repetition(rig, weights)
    size = abs(float(loss.detach()))
    if abs(again() - float(loss.detach())) > 1e-9 * size:
        raise NotApplicable("the loss draws random numbers that are no source of the network")
    loss.backward()
    for name, parameter in rig.online.named_parameters():
        if parameter.requires_grad:
            _require_same_direction(rig, name, parameter, again, SMALL * size)


def _stir(rig: Rig) -> None:
    """Add small random numbers to the weights of both networks, so that none of their layers is 0 or the other's."""
    with torch.no_grad():
        for parameter in (*rig.online.parameters(), *rig.target.parameters()):
            inputs = parameter[0].numel() if parameter.ndim > 1 else 1
            parameter.add_(0.1 / inputs**0.5 * rig.normal(*parameter.shape))


def _loss_and_its_repetition(rig: Rig, weights: Tensor) -> tuple[Tensor, Callable[[], float]]:
    """Return the weighted loss of a batch, and a function that computes it again with the weights of the moment."""
    batch = rig.batch()
    head_loss = rig.online.head.loss
    witness = Witness(rig, batch)
    before: list[Any] = []

    def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if torch.is_grad_enabled():  # the pass that is learnt, not one that helps to choose an action
            before.append(save_sources(rig.online))

    watch = rig.online.register_forward_pre_hook(note)
    errors = rig.loss(batch)
    watch.remove()
    given = witness.given
    if given is None or len(before) != 1 or not isinstance(errors.update, Tensor):
        raise NotApplicable("the loss is not that of the head for one pass of the online network")

    def again() -> float:
        load_sources(rig.online, before[0])
        with torch.no_grad(), _same_buffers(rig.online):
            arguments = given._replace(online=rig.online(witness.shown["obs"]))
            return float((head_loss(*arguments)[0] * weights).sum())

    return (errors.update * weights).sum(), again


@contextmanager
def _same_buffers(network: nn.Module) -> Iterator[None]:
    """Restore at the end what a pass in training may change, such as running statistics."""
    kept = [(buffer, buffer.clone()) for buffer in network.buffers()]
    yield
    for buffer, value in kept:
        buffer.copy_(value)


def _require_same_direction(
    rig: Rig, name: str, parameter: nn.Parameter, loss: Callable[[], float], rounding: float
) -> None:
    gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    slopes = []
    for _ in range(TRIED):
        direction = rig.normal(*parameter.shape)
        direction /= direction.norm()
        slope = _slope(parameter, direction, loss, rounding)
        if slope is not None:
            slopes.append((slope, float((gradient * direction).sum())))
        if len(slopes) == DIRECTIONS:
            break
    else:
        return  # the loss has bends nearly everywhere
    wanted, got = np.array(slopes).T
    length, other = np.linalg.norm(wanted), np.linalg.norm(got)
    if length <= rounding and other <= rounding:
        return  # the batch does not show this parameter
    example = {"parameter": name, "random directions": DIRECTIONS, "largest entry": np.abs(numbers(gradient)).max()}
    near = min(length, other) > 0 and np.linalg.norm(got / other - wanted / length) <= NEAR + rounding / length
    require(bool(near), example=example, expected=f"slopes like {wanted}", got=got)


def _slope(parameter: nn.Parameter, direction: Tensor, loss: Callable[[], float], rounding: float) -> float | None:
    """Return the slope of the loss in a direction; None if it has a bend there, such as a unit that switches."""
    kept = parameter.detach().clone()
    found = []
    for step in (-STEP, 0.0, STEP):
        with torch.no_grad():
            parameter.copy_(kept + step * direction)
        found.append(loss())
    with torch.no_grad():
        parameter.copy_(kept)
    before, after = np.diff(found) / STEP
    smooth = abs(after - before) <= rounding + BEND * max(abs(before), abs(after))
    return float(before + after) / 2 if smooth else None
