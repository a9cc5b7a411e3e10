"""What each run of an arm reached: its last, best and average return, and when it reached a threshold.

A run's curve is the running mean of the raw returns of its last 100 training episodes, or the mean returns of its
evaluations; `framework.study.results` says how it is read. On the curve of training, only means of 100 episodes count
as the best or as reaching a threshold, or the mean of all episodes in a run that has fewer: the mean of a run's first
few episodes may be high by luck.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from framework.comparison.gathering import ComparedArm
from framework.comparison.recorded import RecordedRun
from framework.recording.statistics import WINDOW
from framework.study.improvement import Probability, probability_of_improvement
from framework.study.results import Axis, Curve
from framework.study.statistics import Estimate, estimate


@dataclass(frozen=True)
class Measures:
    """The measures of one run. None is unknown."""

    final: float | None
    """The last value of the curve."""
    best: float | None
    """Its highest value that counts."""
    area: float | None
    """Its average from 0 to the end of the run."""
    reached: float | None
    """Where on the axis it first reached the threshold; None if it never did, or there is no threshold."""


@dataclass(frozen=True)
class MeasuredArm:
    """An arm with the curves and measures of its runs, in the order of the runs."""

    arm: ComparedArm
    curves: tuple[Curve, ...]
    runs: tuple[Measures, ...]

    @property
    def label(self) -> str:
        """The arm's label."""
        return self.arm.label

    def each(self, measure: str) -> list[float | None]:
        """A measure of each run: "final", "best", "area" or "reached"."""
        return [getattr(run, measure) for run in self.runs]

    def estimate(self, measure: str) -> Estimate:
        """The interquartile mean of a measure over the runs, with its bootstrap interval."""
        return estimate(self.each(measure))

    def improvement(self, other: MeasuredArm, measure: str = "final") -> Probability | None:
        """The probability that a run of this arm is better than one of the other by a measure; None if unknown."""
        return probability_of_improvement(self.each(measure), other.each(measure))


def measured(arm: ComparedArm, axis: Axis, what: str, threshold: float | None = None) -> MeasuredArm:
    """Read the curves of an arm's runs, and measure them.

    Args:
        what: "return" or "evaluation".
        threshold: a return.
    """
    curves = tuple(run.curve(axis, what) for run in arm.runs)
    runs = zip(arm.runs, curves, strict=True)
    return MeasuredArm(arm, curves, tuple(_measures(run, curve, what, threshold) for run, curve in runs))


def _measures(run: RecordedRun, curve: Curve, what: str, threshold: float | None) -> Measures:
    if not len(curve.x):
        return Measures(None, None, None, None)
    first = min(WINDOW, len(curve.x)) - 1 if what == "return" else 0
    x, values = curve.x[first:], curve.values[first:]
    known = values[~np.isnan(values)]
    passed = np.flatnonzero(values >= (math.inf if threshold is None else threshold))
    return Measures(
        final=_known(curve.values[-1]),
        best=float(known.max()) if len(known) else None,
        area=_known(curve.area()),
        reached=float(x[passed[0]]) if len(passed) else None,
    )


def _known(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def lengths(arms: Sequence[MeasuredArm]) -> tuple[float, float]:
    """The ends of the shortest and of the longest run on the axis."""
    ends = [curve.end for arm in arms for curve in arm.curves]
    return min(ends), max(ends)
