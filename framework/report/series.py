"""The curves of an arm as lines of a few panels, thinned so that a page stays small.

The panels show return, evaluation, loss, action values, gradient, ε and speed. Both pictures of a page, with scripts
and without, draw these lines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from framework.comparison.compare import Comparison
from framework.comparison.measures import MeasuredArm
from framework.comparison.recorded import RecordedRun
from framework.study.figures import sampled
from framework.study.results import Axis, curve_of

POINTS = 500
"""The largest number of points of a line, as for sampled curves."""
RATES = 100
"""The number of intervals over which the speed is averaged."""


MEASURED = (
    ("value_mean", "mean action value of what is best", "No action values were recorded."),
    ("optimizer/gradient_norm", "norm of the gradient", "The optimiser measures no gradient."),
)
"""Key of learning rows → the title of its panel, and what to say where no row has it."""


@dataclass(frozen=True)
class Line:
    """One line, or a group of points, of one run."""

    run: int
    """The number of the run in its arm."""
    name: str
    x: Sequence[float]
    y: Sequence[float]
    """NaN where nothing is known."""
    kind: Literal["line", "marked", "points"] = "line"
    spread: Sequence[float] | None = None
    """For evaluations: the standard deviation over the episodes."""


@dataclass(frozen=True)
class Panel:
    """Lines that share an axis of values."""

    title: str
    lines: tuple[Line, ...]
    missing: str
    """What to say if there are no lines."""


def panels(arm: MeasuredArm, comparison: Comparison) -> list[Panel]:
    """The panels of an arm, in their order, those without lines included."""
    axis = comparison.axis
    names = arm.arm.names_of_runs()
    runs = list(enumerate(zip(arm.arm.runs, names, strict=True)))
    returns = [*_singles(arm.arm.runs[0], axis)] if len(runs) == 1 else []
    for number, (run, name) in runs:
        x, y = sampled(run.curve(axis, "return"))
        returns.append(Line(number, name, x.tolist(), y.tolist()))
    found = [
        ("mean return of the last 100 episodes", returns, "No episode has ended."),
        (
            "mean return of an evaluation",
            [_evaluations(number, name, run, axis, len(runs) == 1) for number, (run, name) in runs],
            "No evaluation was recorded.",
        ),
        (
            "loss",
            [_averaged(number, name, run.of_kind("learning"), "loss", axis) for number, (run, name) in runs],
            "No loss was recorded: a row is written every 500 updates.",
        ),
        *(
            (
                title,
                [_averaged(number, name, run.of_kind("learning"), key, axis) for number, (run, name) in runs],
                missing,
            )
            for key, title, missing in MEASURED
        ),
        (
            "ε",
            [_epsilon(number, name, run, axis) for number, (run, name) in runs],
            "The exploration reported no ε.",
        ),
        (
            "environment steps per second",
            [_speed(number, name, run, axis) for number, (run, name) in runs],
            "Too little was recorded for a speed.",
        ),
    ]
    return [
        Panel(title, tuple(line for line in lines if any(map(math.isfinite, line.y))), missing)
        for title, lines, missing in found
    ]


def _singles(run: RecordedRun, axis: Axis) -> list[Line]:
    """The returns of single episodes: all, or every k-th one if there are many."""
    rows = run.of_kind("episode")
    every = -(-len(rows) // POINTS) or 1
    kept = rows[::every]
    what = "single episodes" if every == 1 else f"single episodes, one of {every}"
    return [Line(0, what, [axis.of(row) for row in kept], [_number(row["return"]) for row in kept], "points")]


def _evaluations(number: int, name: str, run: RecordedRun, axis: Axis, spread: bool) -> Line:
    rows = sorted(run.of_kind("evaluation"), key=axis.of)
    deviations = [_number(row.get("deviation")) for row in rows] if spread else None
    return Line(
        number, name, [axis.of(row) for row in rows], [_number(row["mean"]) for row in rows], "marked", deviations
    )


def _averaged(number: int, name: str, rows: Sequence[Mapping[str, Any]], key: str, axis: Axis) -> Line:
    """A value of rows; the means of equal groups of neighbours if there are many, each at its last row."""
    size = -(-len(rows) // POINTS) or 1
    groups = [rows[start : start + size] for start in range(0, len(rows), size)]
    means = [float(np.mean([_number(row.get(key)) for row in group])) for group in groups]
    return Line(number, name, [axis.of(group[-1]) for group in groups], means)


def _epsilon(number: int, name: str, run: RecordedRun, axis: Axis) -> Line:
    rows = [row for row in run.of_kind("episode") if isinstance(row.get("epsilon"), int | float)]
    if not rows:
        return Line(number, name, [], [])
    x, y = sampled(curve_of(rows, "epsilon", axis, axis.of(rows[-1])))
    return Line(number, name, x.tolist(), y.tolist())


def _speed(number: int, name: str, run: RecordedRun, axis: Axis) -> Line:
    """Environment steps by seconds of training, between rows that are about evenly spaced in time."""
    rows = [row for row in run.rows if row.get("kind") in ("episode", "learning")]
    x, y = [], []
    if rows:
        least = (rows[-1]["seconds"] - rows[0]["seconds"]) / RATES
        before = rows[0]
        for row in rows[1:]:
            elapsed = row["seconds"] - before["seconds"]
            if elapsed > 0 and elapsed >= least:
                x.append(axis.of(row))
                y.append((row["env_steps"] - before["env_steps"]) / elapsed)
                before = row
    return Line(number, name, x, y)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
