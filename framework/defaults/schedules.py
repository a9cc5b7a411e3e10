"""Schedules: pure functions of the run's counters and options, so that a resumed run needs no state of theirs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from framework.options import ExplorationOptions, RunOptions
from framework.types import Counters, Unit

Shape = Literal["linear", "exponential", "constant"]


def linear(start: float, final: float, horizon: int, t: int) -> float:
    """start + (final − start) · t / horizon, and `final` from t = horizon on."""
    return final if t >= horizon else start + (final - start) * t / horizon


def exponential(start: float, final: float, time_constant: int, t: int) -> float:
    """final + (start − final) · exp(−(t + 1) / time_constant)."""
    return final + (start - final) * math.exp(-(t + 1) / time_constant)


def planned(run: RunOptions) -> tuple[int, Unit] | None:
    """Return the length of a run and what it counts: its steps, else its episodes, else None."""
    if run.steps is not None:
        return run.steps, "env_steps"
    return None if run.episodes is None else (run.episodes, "episodes")


def over_the_run(run: RunOptions, start: float, final: float) -> Callable[[Counters], float]:
    """Return a function of the counters that moves linearly from `start` to `final` in the course of a run.

    It stays `start` if neither run.steps nor run.episodes is set.
    """
    plan = planned(run)
    if plan is None:
        return lambda counters: start
    length, unit = plan
    return lambda counters: linear(start, final, length, counters[unit])


def with_share(options: ExplorationOptions, run: RunOptions) -> ExplorationOptions:
    """Return the options with the horizon that `exploration.share` means in this run, in steps or episodes."""
    plan = planned(run)
    if not options.share or plan is None:
        return options
    length, unit = plan
    return options.model_copy(update={"horizon": max(1, round(options.share * length)), "unit": unit})
