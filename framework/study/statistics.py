"""Statistics of several seeds: the interquartile mean and its bootstrap interval.

rliable computes the same for one task: "Deep Reinforcement Learning at the Edge of the Statistical Precipice",
Agarwal et al. 2021, https://arxiv.org/abs/2108.13264, section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from framework.study.results import Curve, RunResult

CONFIDENCE = 0.95
RESAMPLES = 10_000
FEWEST = 3
"""The smallest number of values that has an interval."""


@dataclass(frozen=True)
class Estimate:
    """An estimate of one result from several seeds."""

    value: float | None
    """The interquartile mean; None unless every run has the result."""
    low: float | None
    """`low` and `high` are the bounds of the interval; None with fewer than three seeds, or if all are equal."""
    high: float | None
    known: int
    runs: int

    def __str__(self) -> str:
        """ "1.58 [1.52, 1.63]", or why there is no interval."""
        if self.value is None:
            return f"– ({self.known} of {self.runs} known)"
        if self.low is not None and self.high is not None:
            return f"{shown(self.value)} [{shown(self.low)}, {shown(self.high)}]"
        few = {1: "one seed", 2: "two seeds"}
        return f"{shown(self.value)} ({few.get(self.runs, 'all equal')})"


@dataclass(frozen=True)
class Summary:
    """An arm's runs, sorted by seed, and their estimates."""

    arm: str
    runs: tuple[RunResult, ...]
    final: Estimate
    area: Estimate
    evaluation: Estimate | None
    """None if no run was evaluated."""
    human_normalised: Estimate | None
    """None if no run has a human-normalised evaluation."""


def interquartile_mean(values: Any, axis: int = -1) -> Any:
    """The mean without the lowest and the highest quarter of the values, each rounded down to whole values."""
    from scipy.stats import trim_mean  # type: ignore[import-untyped]

    return trim_mean(values, 0.25, axis=axis)


def estimate(values: Sequence[float | None]) -> Estimate:
    """The interquartile mean with its percentile bootstrap interval. The order of the values does not matter.

    The random generator of the resamples has a fixed seed, so the same values always give the same interval.
    """
    known = np.sort(np.array([value for value in values if value is not None], np.float64))
    if len(known) < len(values) or not len(known):
        return Estimate(None, None, None, len(known), len(values))
    centre = float(interquartile_mean(known))
    if len(known) < FEWEST or known[0] == known[-1]:
        return Estimate(centre, None, None, len(known), len(values))
    from scipy.stats import bootstrap

    interval = bootstrap(
        (known,),
        interquartile_mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        method="percentile",
        vectorized=True,
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return Estimate(centre, float(interval.low), float(interval.high), len(known), len(values))


def summarise(results: Iterable[RunResult]) -> list[Summary]:
    """The summary of each arm, in the order in which the arms first occur."""
    by_arm: dict[str, list[RunResult]] = {}
    for result in results:
        by_arm.setdefault(result.arm, []).append(result)
    return [_summary(arm, sorted(runs, key=lambda run: run.seed)) for arm, runs in by_arm.items()]


def _summary(arm: str, runs: Sequence[RunResult]) -> Summary:
    return Summary(
        arm=arm,
        runs=tuple(runs),
        final=estimate([run.final for run in runs]),
        area=estimate([run.area for run in runs]),
        evaluation=_estimate_if_any([run.evaluation for run in runs]),
        human_normalised=_estimate_if_any([run.human_normalised for run in runs]),
    )


def _estimate_if_any(values: Sequence[float | None]) -> Estimate | None:
    return None if all(value is None for value in values) else estimate(values)


def mean_curve(curves: Sequence[Curve], points: int = 500) -> tuple[Int64[np.ndarray, " P"], Float64[np.ndarray, " P"]]:
    """Evenly spaced steps at which all curves have a value, and the interquartile mean of the curves at them."""
    if not curves or not all(len(curve.steps) for curve in curves):
        return np.zeros(0, np.int64), np.zeros(0)
    start, end = max(int(curve.steps[0]) for curve in curves), min(curve.end for curve in curves)
    if start > end:
        return np.zeros(0, np.int64), np.zeros(0)
    steps = np.unique(np.linspace(start, end, points).astype(np.int64))
    return steps, np.asarray(interquartile_mean(np.stack([curve.at(steps) for curve in curves]), axis=0))


def shown(value: float | None) -> str:
    """A return as text, with about four digits."""
    if value is None:
        return "–"
    size = abs(value)
    decimals = 3 if size < 1 else 2 if size < 100 else 1 if size < 1000 else 0
    return f"{value:,.{decimals}f}"
