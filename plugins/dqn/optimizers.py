"""The optimisers of `dqn`, by name, and the schedule of their learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from framework.defaults.schedules import over_the_run
from framework.options import RunOptions
from framework.types import Counters
from plugins.dqn.options import DQNOptions

NO_DENOMINATOR = 1e20
"""As ε and as factor of the learning rate: √v vanishes beside it, and it cancels out."""


class CentredRMSprop(torch.optim.Optimizer):
    """Divides the gradient by an estimate of its standard deviation (Mnih et al. 2015, after Graves 2013, eq. 38–41).

    m ← ρ m + (1 − ρ) g, n ← ρ n + (1 − ρ) g², θ ← θ − rate · g / √(n − m² + ε). torch's own RMSprop adds ε behind the
    root, where the paper's value of 0.01 means something else. The paper's gradient is of a sum over 32 transitions,
    and the gradient here is of their mean: 0.01 / 32² has the same effect.

    Args:
        parameters: what it updates.
        rate: the learning rate.
        decay: ρ.
        epsilon: ε.
    """

    def __init__(self, parameters: Iterable[Tensor], rate: float, decay: float, epsilon: float) -> None:
        super().__init__(parameters, {"lr": rate})
        self._decay, self._epsilon = decay, epsilon

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group["lr"])

    def _move(self, parameter: Tensor, gradient: Tensor, rate: float) -> None:
        state = self.state[parameter]
        if not state:
            state.update(mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        mean, square = state["mean"], state["square"]
        mean.lerp_(gradient, 1 - self._decay)
        square.mul_(self._decay).addcmul_(gradient, gradient, value=1 - self._decay)
        # the variance cannot be negative, but the rounded difference can
        deviation = square.addcmul(mean, mean, value=-1).clamp_(min=0).add_(self._epsilon).sqrt_()
        parameter.addcdiv_(gradient, deviation, value=-rate)


class RectifiedAdam(torch.optim.Adam):
    """RAdam (Liu et al. 2020, algorithm 2), as `torch.optim.RAdam` computes it, in one call.

    The paper multiplies Adam's step by a number r_t. While r_t does not exist, in the first steps, it leaves out Adam's
    denominator. Both are steps of Adam with another learning rate and another ε, and Adam's fused code is the quickest.

    Args:
        parameters: what it updates.
        rate: the learning rate.
        epsilon: ε, which is added to √v before the correction of its bias.
    """

    def __init__(self, parameters: Iterable[Tensor], rate: float, epsilon: float) -> None:
        super().__init__(parameters, rate, eps=epsilon, fused=True)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        given = [(group["lr"], group["eps"]) for group in self.param_groups]
        for group in self.param_groups:
            factor, group["eps"] = self._rectified(group)
            group["lr"] *= factor
        super().step()
        for group, (rate, epsilon) in zip(self.param_groups, given, strict=True):
            group["lr"], group["eps"] = rate, epsilon

    def _rectified(self, group: dict[str, Any]) -> tuple[float, float]:
        """Return the factor of the learning rate, and ε, with which a step of Adam is the next one of RAdam."""
        steps = [self.state[parameter]["step"] for parameter in group["params"] if self.state.get(parameter)]
        t, decay = (float(steps[0]) if steps else 0.0) + 1, group["betas"][1]
        correction = 1 - decay**t
        longest = 2 / (1 - decay) - 1
        length = longest - 2 * t * decay**t / correction
        if length <= 5:
            return NO_DENOMINATOR, NO_DENOMINATOR
        rectification = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return math.sqrt(rectification), group["eps"] / math.sqrt(correction)


def optimizer_for(parameters: Iterable[Tensor], options: DQNOptions) -> torch.optim.Optimizer:
    """Return the optimiser that `dqn.optimizer` names."""
    rate = options.learning_rate
    if options.optimizer == "adam":
        return torch.optim.Adam(parameters, rate, eps=options.adam_epsilon, fused=True)
    if options.optimizer == "adamw":
        decay = options.weight_decay
        return torch.optim.AdamW(parameters, rate, eps=options.adam_epsilon, weight_decay=decay, fused=True)
    return CentredRMSprop(parameters, rate, options.rmsprop_decay, options.rmsprop_epsilon)


def learning_rate(options: DQNOptions, run: RunOptions, counters: Counters) -> Callable[[], float]:
    """Return a function that reads the learning rate of the moment from the run's counters."""
    schedule = over_the_run(run, options.learning_rate, options.learning_rate * options.learning_rate_left)
    return lambda: schedule(counters)
