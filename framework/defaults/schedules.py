"""Schedules: pure functions of the run's counters and options, so that a resumed run needs no state of theirs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from framework.options import ExplorationOptions, RunOptions
from framework.types import Counters

Shape = Literal["linear", "exponential", "constant"]


def linear(start: float, final: float, horizon: int, t: int) -> float:
    """start + (final − start) · t / horizon, and `final` from t = horizon on."""
    return final if t >= horizon else start + (final - start) * t / horizon


def exponential(start: float, final: float, time_constant: int, t: int) -> float:
    """final + (start − final) · exp(−(t + 1) / time_constant)."""
    return final + (start - final) * math.exp(-(t + 1) / time_constant)


def planned(run: RunOptions) -> int | None:
    """Return the environment steps for which schedules are planned: run.planned, else run.steps, else None."""
    return run.steps if run.planned is None else run.planned


def over_the_run(run: RunOptions, start: float, final: float) -> Callable[[Counters], float]:
    """Return a function of the counters that moves linearly from `start` to `final` in the course of a run.

    It stays `start` if the run has no planned length.
    """
    steps = planned(run)
    return lambda counters: start if steps is None else linear(start, final, steps, counters.env_steps)


def with_share(options: ExplorationOptions, run: RunOptions) -> ExplorationOptions:
    """Return the options with the horizon that `exploration.share` means in this run."""
    steps = planned(run)
    if not options.share or steps is None:
        return options
    return options.model_copy(update={"horizon": max(1, round(options.share * steps)), "unit": "env_steps"})
