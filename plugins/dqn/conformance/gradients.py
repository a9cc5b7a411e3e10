"""Checks of gradients: each parameter gets the one that differences of the network's output show, and moves with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from framework.conformance.check import Cause, NotApplicable, Violation, check, require
from framework.conformance.fixtures.batches import B
from framework.conformance.subject import Subject
from framework.types import Counters
from plugins.dqn.conformance.rig import Leaves, Rig, numbers, rigged, state_of
from plugins.dqn.sources import load_sources, save_sources

DIRECTIONS = 6
"""Random directions in which a tensor of parameters is moved."""

TRIED = 30
"""Directions that are tried until so many without a bend are found."""

STEP = 1e-6
"""How far, for a direction of length 1. In float64, differences of a smooth function are then exact to about 1e-9."""

BEND = 1e-4
"""Largest relative difference of the slopes on both sides of a place where a function is smooth."""

NEAR = 0.05
"""Largest angle between right gradients: some layers, such as spectral normalisation, hold estimates fixed."""

SMALL = 1e-8
"""Slopes below this share of the function are rounding."""

LARGE_STEP, LARGE_CHANGE = 0.3, 1e-3
"""Where slopes cannot be seen: a tensor without a gradient must not change the output by such a share."""

LEAVES: Leaves = {
    "picture": Box(0, 255, (2, 12, 12), np.uint8),
    "place": Box(-1, 1, (4,), np.float64),
    "room": Discrete(5),
}
"""Observations of several leaves, which a composition may meet in another environment than its own."""

OPT_OUT = "own_gradient"
"""The attribute of a module that shapes its gradient on purpose."""

CUT_OFF = Cause("a part of the network is cut off from the gradient, by `detach`, `no_grad` or `.data`")


@check(
    "loss",
    "make_loss",
    CUT_OFF,
    Cause("a layer has a backward pass of its own that is not the derivative of its forward pass"),
)
def each_parameter_gets_the_gradient_of_the_loss(subject: Subject) -> None:
    """The gradient of each tensor of parameters is a positive multiple of what differences of the output show.

    What the loss sends back to the network's output is taken as it is: heads may clip it or weigh it. The random
    numbers of the pass are held fixed. A multiple is allowed because papers scale gradients on their way, as Wang et
    al. 2016 do before the last convolution. A module that shapes its gradient in another way says so by
    `own_gradient = True`.
    """
    with rigged(subject) as rig:
        _compare(rig)


@check("loss", "make_loss", CUT_OFF)
def each_leaf_of_an_observation_is_learnt_from(subject: Subject) -> None:
    """The same holds where an observation has several leaves: a picture, numbers and a state."""
    try:
        with rigged(subject, leaves=LEAVES) as rig:
            _compare(rig)
    except (Violation, NotApplicable):
        raise
    except Exception as error:
        raise NotApplicable(f"a part serves other observations alone: {error}") from error


@check("optimizer", "make_optimizer", Cause("a part of the network is not among the optimiser's parameters"))
def an_update_moves_each_parameter_that_has_a_gradient(subject: Subject) -> None:
    """Every tensor of parameters whose gradient is not 0 in eight updates has moved after them."""
    with rigged(subject) as rig:
        _stir(rig)
        counters = Counters(env_steps=100, frames=100)
        optimizer = rig.builder.optimizer(rig.policy, counters)
        before, due = state_of(rig.online), set(dict(rig.online.named_parameters()))
        for _ in range(8):
            batch = rig.batch()
            losses = rig.loss(batch).update
            if not isinstance(losses, Tensor):
                raise NotApplicable("the loss gives the optimiser no tensor")
            losses.sum().backward()  # type: ignore[no-untyped-call]
            due &= {name for name, one in rig.online.named_parameters() if one.grad is not None and one.grad.any()}
            optimizer.apply(batch, rig.loss(batch))
            counters.updates += 1
        after = state_of(rig.online)
        still = sorted(name for name in due if np.array_equal(before[name], after[name]))
        require(not still, example="parameters with a gradient", expected="all have moved", got=f"not {still}")


def _stir(rig: Rig) -> None:
    """Add small random numbers to the weights of both networks, so that none of their layers is 0 or the other's."""
    with torch.no_grad():
        for parameter in (*rig.online.parameters(), *rig.target.parameters()):
            inputs = parameter[0].numel() if parameter.ndim > 1 else 1
            parameter.add_(0.1 / inputs**0.5 * rig.normal(*parameter.shape))


def _compare(rig: Rig) -> None:
    shaped = [type(module).__name__ for module in rig.online.modules() if getattr(module, OPT_OUT, False)]
    if shaped:
        raise NotApplicable(f"{shaped[0]} says that its gradient is its own")
    _stir(rig)
    function = _learnt_function(rig)
    size = abs(function())
    compared = [
        _is_right(rig, name, parameter, function, SMALL * size)
        for name, parameter in rig.online.named_parameters()
        if parameter.requires_grad
    ]
    if not any(compared):
        raise NotApplicable("the network's output has no slopes that can be compared")


def _learnt_function(rig: Rig) -> Callable[[], float]:
    """Compute a loss and its gradients. Return the function that they are the gradients of.

    It is the sum of the network's output, weighted by what the loss sends back to each of its numbers, for the weights
    of the moment and the random numbers of the pass that was learnt.
    """
    passes: list[tuple[Any, Any, dict[str, Tensor]]] = []
    before: list[Any] = []

    def begin(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        before.append(save_sources(rig.online))

    def end(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if torch.is_grad_enabled():  # not a pass that helps to choose an action
            passes.append((before[-1], inputs[0], _learnt_tensors(output)))

    watches = rig.online.register_forward_pre_hook(begin), rig.online.register_forward_hook(end)
    losses = rig.loss(rig.batch()).update
    for watch in watches:
        watch.remove()
    if len(passes) != 1 or not isinstance(losses, Tensor):
        raise NotApplicable("the loss is no tensor of one pass of the online network")
    sources, obs, outputs = passes[0]
    weights = rig.tensor(rig.rng.uniform(0.5, 1.5, size=B))
    for tensor in outputs.values():
        tensor.retain_grad()
    (losses * weights).sum().backward(retain_graph=True)
    sent = {name: tensor.grad for name, tensor in outputs.items() if tensor.grad is not None}
    names = _where_all_gradients_come_from(rig, outputs, sent)

    def function() -> float:
        load_sources(rig.online, sources)
        with torch.no_grad(), _same_buffers(rig.online):
            output = rig.online(obs)
            return float(sum((getattr(output, name) * sent[name]).sum() for name in names))

    if abs(function() - function()) > 1e-9 * abs(function()):
        raise NotApplicable("the network draws random numbers that are no source of its modules")
    return function


def _learnt_tensors(output: Any) -> dict[str, Tensor]:
    """Return the tensors that an output keeps and that have a gradient, by name."""
    as_dict = getattr(output, "_asdict", None)  # of a named tuple
    kept = getattr(output, "__dict__", {}) if as_dict is None else as_dict()
    return {name: tensor for name, tensor in kept.items() if isinstance(tensor, Tensor) and tensor.requires_grad}


def _where_all_gradients_come_from(rig: Rig, outputs: dict[str, Tensor], sent: dict[str, Tensor]) -> Sequence[str]:
    """Return names of output tensors through which the whole gradient of the loss goes."""
    named = dict(rig.online.named_parameters())
    wanted = {name: parameter.grad for name, parameter in named.items()}
    learnt = [name for name, parameter in named.items() if parameter.requires_grad]
    for names in (tuple(sent), *((name,) for name in sent)):
        if not names:
            continue
        found = torch.autograd.grad(
            [outputs[name] for name in names],
            [named[name] for name in learnt],
            [sent[name] for name in names],
            retain_graph=True,
            allow_unused=True,
        )
        if all(_alike(got, wanted[name]) for name, got in zip(learnt, found, strict=True)):
            return names
    raise NotApplicable("the loss reaches the weights by other ways than the tensors of the network's output")


def _alike(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return not any(gradient is not None and gradient.any() for gradient in (one, other))
    return torch.allclose(one, other, rtol=1e-4, atol=1e-6 * float(other.abs().max()))


@contextmanager
def _same_buffers(network: nn.Module) -> Iterator[None]:
    """Restore at the end what a pass in training may change, such as running statistics."""
    kept = [(buffer, buffer.clone()) for buffer in network.buffers()]
    yield
    for buffer, value in kept:
        buffer.copy_(value)


def _is_right(rig: Rig, name: str, parameter: nn.Parameter, function: Callable[[], float], rounding: float) -> bool:
    """Compare the gradient of a tensor of parameters with slopes. Return whether there was something to compare."""
    gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    slopes = []
    for _ in range(TRIED if torch.get_default_dtype() == torch.float64 else 0):
        direction = rig.normal(*parameter.shape)
        direction /= direction.norm()
        slope = _slope(parameter, direction, function, rounding)
        if slope is not None:
            slopes.append((slope, float((gradient * direction).sum())))
        if len(slopes) == DIRECTIONS:
            break
    else:  # the function has bends nearly everywhere, or too few digits
        return _has_a_gradient_if_it_matters(rig, name, parameter, function)
    wanted, got = np.array(slopes).T
    length, other = np.linalg.norm(wanted), np.linalg.norm(got)
    if length <= rounding and other <= rounding:
        return False  # the batch does not show this parameter
    example = {"parameter": name, "random directions": DIRECTIONS, "largest entry": np.abs(numbers(gradient)).max()}
    near = min(length, other) > 0 and np.linalg.norm(got / other - wanted / length) <= NEAR + rounding / length
    require(bool(near), example=example, expected=f"slopes like {wanted}", got=got)
    return True


def _slope(parameter: nn.Parameter, direction: Tensor, function: Callable[[], float], rounding: float) -> float | None:
    """Return the slope in a direction; None if there is a bend, such as a unit that switches."""
    kept = parameter.detach().clone()
    found = [_moved(parameter, kept, step * direction, function) for step in (-STEP, 0.0, STEP)]
    before, after = np.diff(found) / STEP
    smooth = abs(after - before) <= rounding + BEND * max(abs(before), abs(after))
    return float(before + after) / 2 if smooth else None


def _has_a_gradient_if_it_matters(rig: Rig, name: str, parameter: nn.Parameter, function: Callable[[], float]) -> bool:
    if parameter.grad is not None and parameter.grad.any():
        return False
    kept, direction = parameter.detach().clone(), rig.normal(*parameter.shape)
    step = LARGE_STEP / direction.norm()
    sides = [_moved(parameter, kept, sign * step * direction, function) for sign in (-1, 0, 1)]
    change = max(abs(sides[0] - sides[1]), abs(sides[2] - sides[1]))
    matters = change > LARGE_CHANGE * abs(sides[1])
    example = {"parameter": name, "moved by": LARGE_STEP}
    require(not matters, example=example, expected="a gradient: the output changes", got="none")
    return True


def _moved(parameter: nn.Parameter, kept: Tensor, by: Tensor, function: Callable[[], float]) -> float:
    """Return the function with the parameter moved, and put the parameter back."""
    with torch.no_grad():
        parameter.copy_(kept + by)
        found = function()
        parameter.copy_(kept)
    return found
