"""The optimisers of `dqn`, by name, and the schedule of their learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from framework.defaults.schedules import over_the_run
from framework.options import RunOptions
from framework.types import Counters
from plugins.dqn.options import DQNOptions


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
