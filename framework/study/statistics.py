"""Statistics of several seeds: the interquartile mean and its bootstrap interval.

rliable computes the same for one task: "Deep Reinforcement Learning at the Edge of the Statistical Precipice",
Agarwal et al. 2021, https://arxiv.org/abs/2108.13264, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Real

from framework.study.results import Curve, RunResult

CONFIDENCE = 0.95
RESAMPLES = 10_000
BAND_RESAMPLES = 2_000
"""Resamples of each place of a band: a plot shows no more digits than these give."""
BATCH_NUMBERS = 10_000_000
"""About how many numbers a bootstrap holds at once."""
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
        return self.text(shown)

    def text(self, number: Callable[[float], str]) -> str:
        """The same with another way to write a number."""
        if self.value is None:
            return f"– ({self.known} of {self.runs} known)"
        if self.low is not None and self.high is not None:
            return f"{number(self.value)} [{number(self.low)}, {number(self.high)}]"
        few = {1: "one seed", 2: "two seeds"}
        return f"{number(self.value)} ({few.get(self.runs, 'all equal')})"


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
    low, high = bootstrap_interval((known,), interquartile_mean)
    return Estimate(centre, float(low), float(high), len(known), len(values))


def bootstrap_interval(
    samples: Sequence[Float64[np.ndarray, "..."]],
    statistic: Callable[..., Any],
    axis: int = -1,
    resamples: int = RESAMPLES,
) -> tuple[Any, Any]:
    """The percentile bootstrap interval of a statistic: its lower and its upper bound.

    The random generator has a fixed seed, so the same samples in the same order always give the same interval.

    Args:
        samples: each is resampled along `axis`, independently of the others.
        statistic: called with the samples and `axis=`.
    """
    from scipy.stats import bootstrap

    interval = bootstrap(
        tuple(samples),
        statistic,
        confidence_level=CONFIDENCE,
        n_resamples=resamples,
        batch=max(1, BATCH_NUMBERS // max(1, math.prod(sample.size for sample in samples))),
        method="percentile",
        axis=axis,
        vectorized=True,
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return interval.low, interval.high


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


def mean_curve(curves: Sequence[Curve], points: int = 500) -> tuple[Real[np.ndarray, " P"], Float64[np.ndarray, " P"]]:
    """Evenly spaced places at which all curves have a value, and the interquartile mean of the curves at them."""
    x, values = aligned(curves, points)
    if not len(x):
        return x, np.zeros(0)
    # NaN where a curve is NaN: a trimmed mean would leave that curve out unseen
    return x, np.where(np.isnan(values).any(axis=0), np.nan, interquartile_mean(values, axis=0))


def band(
    curves: Sequence[Curve], points: int = 200
) -> tuple[Real[np.ndarray, " P"], Float64[np.ndarray, " P"], Float64[np.ndarray, " P"]] | None:
    """The bootstrap interval of the interquartile mean of curves at evenly spaced places: (x, low, high).

    Each place has an interval of its own (they are not simultaneous). None where single estimates have no interval
    either: with fewer than three curves, or without a place at which all have a value.
    """
    x, values = aligned(curves, points)
    if len(curves) < FEWEST or not len(x):
        return None
    # sorted, so that the order of the seeds does not matter: resamples of a place depend on its values alone
    known = ~np.isnan(values).any(axis=0)
    bounds = np.full((2, len(x)), np.nan)
    if known.any():
        sample = np.sort(values[:, known], axis=0)
        bounds[:, known] = bootstrap_interval([sample], interquartile_mean, axis=0, resamples=BAND_RESAMPLES)
    return x, bounds[0], bounds[1]


def aligned(curves: Sequence[Curve], points: int = 500) -> tuple[Real[np.ndarray, " P"], Float64[np.ndarray, "C P"]]:
    """Evenly spaced places at which all curves have a value, and the values of each curve at them."""
    if not curves or not all(len(curve.x) for curve in curves):
        return np.zeros(0, np.int64), np.zeros((len(curves), 0))
    start, end = max(curve.x[0].item() for curve in curves), min(curve.end for curve in curves)
    if start > end:
        return np.zeros(0, np.int64), np.zeros((len(curves), 0))
    x = np.unique(np.linspace(start, end, points).astype(curves[0].x.dtype))
    return x, np.stack([curve.at(x) for curve in curves])


def shown(value: float | None) -> str:
    """A return as text, with about four digits."""
    if value is None:
        return "–"
    size = abs(value)
    decimals = 3 if size < 1 else 2 if size < 100 else 1 if size < 1000 else 0
    return f"{value:,.{decimals}f}"
