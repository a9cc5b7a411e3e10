"""The optimisers of `dqn` against references in plain numpy, and their learning rate in the course of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import framework
from framework.assembly.assemble import assemble
from framework.events import Callback
from framework.training.loop import Loop
from framework.types import Batch, Counters, Step, TDErrors
from plugins.dqn.optimizers import CentredRMSprop, RectifiedAdam, optimizer_for
from plugins.dqn.options import DQNOptions

STEPS, SHAPE = 5, (2, 3)

gradients = hnp.arrays(np.float64, (STEPS, *SHAPE), elements=st.floats(-1e3, 1e3))


def moved(optimizer: torch.optim.Optimizer, parameter: torch.Tensor, gradients: np.ndarray) -> np.ndarray:
    """The parameter after a step with each gradient."""
    for gradient in gradients:
        parameter.grad = torch.from_numpy(gradient)
        optimizer.step()
    return parameter.detach().numpy()


def start() -> torch.Tensor:
    return torch.nn.Parameter(torch.arange(6, dtype=torch.float64).reshape(SHAPE) - 2.5)


@given(gradients, st.floats(0.01, 0.99), st.floats(1e-6, 1.0), st.floats(1e-5, 1e-1))
def test_rmsprop_is_the_papers(gradients: np.ndarray, decay: float, epsilon: float, rate: float) -> None:
    gradients = gradients / 1e3  # at most 1: the rounding error of n − m² grows with n, and ε is as small as 1e-6
    theta, m, n = start().detach().numpy().copy(), np.zeros(SHAPE), np.zeros(SHAPE)
    for g in gradients:
        m = decay * m + (1 - decay) * g
        n = decay * n + (1 - decay) * g**2
        theta -= rate * g / np.sqrt(np.maximum(n - m**2, 0) + epsilon)
    parameter = start()
    got = moved(CentredRMSprop([parameter], rate, decay, epsilon), parameter, gradients)
    assert np.allclose(got, theta, rtol=1e-6, atol=1e-6)


def test_a_constant_gradient_has_no_variance_and_divides_by_the_root_of_epsilon() -> None:
    parameter = start()
    optimizer = CentredRMSprop([parameter], 0.1, 0.5, 0.25)
    moved(optimizer, parameter, np.full((60, *SHAPE), 7.0))
    before = parameter.detach().clone()
    moved(optimizer, parameter, np.full((1, *SHAPE), 7.0))
    assert torch.allclose(before - parameter.detach(), torch.tensor(0.1 * 7.0 / 0.5, dtype=torch.float64))


def test_a_parameter_without_a_gradient_stays() -> None:
    parameter = start()
    CentredRMSprop([parameter], 0.1, 0.9, 0.1).step()
    assert torch.equal(parameter, start())


def reference_adam(gradients: np.ndarray, rate: float, epsilon: float, decay: float) -> np.ndarray:
    """Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2: the decay is not part of the gradient."""
    theta, m, v = start().detach().numpy().copy(), np.zeros(SHAPE), np.zeros(SHAPE)
    for t, g in enumerate(gradients, 1):
        theta *= 1 - rate * decay
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        theta -= rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + epsilon)
    return theta


@given(gradients, st.sampled_from(["adam", "adamw"]), st.floats(0, 0.5))
def test_only_adamw_shrinks_the_weights(gradients: np.ndarray, name: Any, decay: float) -> None:
    parameter = start()
    options = DQNOptions(optimizer=name, weight_decay=decay, learning_rate=0.01, adam_epsilon=1e-3)
    got = moved(optimizer_for([parameter], options), parameter, gradients)
    wanted = reference_adam(gradients, 0.01, 1e-3, decay if name == "adamw" else 0.0)
    assert np.allclose(got, wanted, rtol=1e-9, atol=1e-9)


@given(gradients, st.floats(1e-8, 1e-2))
def test_rectified_adam_is_the_librarys(gradients: np.ndarray, epsilon: float) -> None:
    """In its first steps without a denominator, and in the later ones. The learning rate and ε stay as they were."""
    many = np.concatenate([gradients] * 3)  # from the sixth step on there is a denominator
    ours, theirs = start(), start()
    optimizer = RectifiedAdam([ours], 0.01, epsilon)
    got = moved(optimizer, ours, many)
    wanted = moved(torch.optim.RAdam([theirs], 0.01, eps=epsilon), theirs, many)
    assert np.allclose(got, wanted, rtol=1e-9, atol=1e-12)
    assert [(group["lr"], group["eps"]) for group in optimizer.param_groups] == [(0.01, epsilon)]


class Rates(Callback):
    """Records the learning rate of each update, and the environment steps when it was made."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer, self.seen = optimizer, list[tuple[float, int]]()

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        self.seen.append((self.optimizer.param_groups[0]["lr"], counters.env_steps))


def rates_of(names: str, **values: Any) -> list[tuple[float, int]]:
    parts = assemble(names, {"dqn.learning_rate": 0.01, "dqn.hidden": 8, **values})
    optimizer = parts.optimizer
    while not hasattr(optimizer, "_rate"):  # decorated
        optimizer = optimizer._optimizer
    rates = Rates(optimizer._optimizer)
    Loop(parts, [rates]).run()
    return rates.seen


@pytest.mark.parametrize("names", ["dqn,chain", "dqn,averaging,chain", "pqn,chain"])
@pytest.mark.parametrize("left", [0.0, 0.25, 1.0])
def test_the_learning_rate_falls_linearly_to_its_share(names: str, left: float) -> None:
    seen = rates_of(names, **{"run.steps": 400, "dqn.learning_rate_left": left})
    assert seen
    for rate, steps in seen:
        assert rate == pytest.approx(0.01 * (1 - (1 - left) * steps / 400))


@pytest.mark.parametrize("ends", [{"run.episodes": 30}, {"run.steps": 200, "run.planned": 400}])
def test_only_the_planned_steps_count(ends: dict[str, Any]) -> None:
    seen = rates_of("dqn,chain", **{"run.steps": None, "dqn.learning_rate_left": 0.0, **ends})
    planned = ends.get("run.planned")
    for rate, steps in seen:
        assert rate == pytest.approx(0.01 if planned is None else 0.01 * (1 - steps / planned))


class Crash(Callback):
    def on_step(self, step: Step, counters: Counters) -> None:
        if counters.env_steps == 150:
            raise ConnectionAbortedError


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop"])
def test_a_resumed_run_goes_on_with_the_rate_of_its_step(optimizer: str, tmp_path: Path) -> None:
    """A run that dies on its way and continues from a checkpoint ends with the weights of a run in one piece."""
    values = {
        "run.steps": 300,
        "learning.starts": 20,
        "dqn.hidden": 8,
        "dqn.optimizer": optimizer,
        "dqn.learning_rate_left": 0.0,
        "checkpoint.every": 100,
    }
    framework.train(framework.assemble("dqn,chain", values), tmp_path / "whole")
    with pytest.raises(ConnectionAbortedError):
        framework.train(framework.assemble("dqn,chain", values), tmp_path / "pieces", callbacks=[Crash()])
    framework.resume(tmp_path / "pieces")
    whole, pieces = (tmp_path.joinpath(name, "last.safetensors").read_bytes() for name in ("whole", "pieces"))
    assert whole == pieces
