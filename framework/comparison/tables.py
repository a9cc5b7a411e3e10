"""A comparison as tables for a terminal or a page, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from framework.comparison.compare import Comparison
from framework.comparison.measures import MeasuredArm
from framework.study.improvement import Probability
from framework.study.results import Axis
from framework.study.statistics import Estimate

DEFINITIONS = (
    "Final: the last value of a run's curve. Best: its highest. Area: its average from the run's start to its end. "
    "The curve is the mean raw return of the last 100 training episodes or, with --of evaluation, that of each "
    "evaluation. Best and the time to a threshold count only means of 100 episodes, or of all in a shorter run. The "
    "table shows the interquartile mean of the seeds and, with at least three, its 95 % percentile bootstrap interval. "
    "P(final > …) is the probability of improvement: the share of all pairs of runs in which this arm has the higher "
    "value (a tie is a half), with its bootstrap interval."
)

MEASURES = ("final", "best", "area")
COMPARED = ("final", "area")
"""The measures that have a probability of improvement."""

SHOWN = 60
"""The largest number of signs of a value in a table; the JSON has the whole value."""


def measures_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """The header and the rows, one for each arm."""
    reference = comparison.arms[0]
    header = ["arm", "seeds", *MEASURES]
    if comparison.threshold is not None:
        header.append(f"{comparison.axis.label} to {comparison.threshold:g}")
    several = len(reference.runs) > 1 and any(len(arm.runs) > 1 for arm in comparison.arms[1:])
    if several:
        header += [f"P({measure} > {reference.label})" for measure in COMPARED]
    rows = []
    for arm in comparison.arms:
        row = [arm.label, str(len(arm.runs)), *(str(arm.estimate(measure)) for measure in MEASURES)]
        if comparison.threshold is not None:
            row.append(reached_text(arm, comparison.axis))
        if several:
            row += [_probability(arm, reference, measure) for measure in COMPARED]
        rows.append(row)
    rows += [[arm.label, "0", *["–"] * (len(header) - 2)] for arm in comparison.empty]
    return header, rows


def differences_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """The header and the rows, one for each value that differs."""
    header = ["differs", "name", *(arm.label for arm in comparison.arms)]
    rows = [[each.kind, each.name, *map(shortened, each.values)] for each in comparison.differences]
    return header, rows


def shortened(value: str) -> str:
    """At most `SHOWN` signs of a value."""
    return value if len(value) <= SHOWN else f"{value[: SHOWN - 1]}…"


def reached_text(arm: MeasuredArm, axis: Axis) -> str:
    """When an arm reached the threshold: an estimate, or how many of its runs did."""
    values = arm.each("reached")
    known = sum(value is not None for value in values)
    if known < len(values):
        return f"{known} of {len(values)} runs reach it" if known else "no run reaches it"
    return arm.estimate("reached").text(axis.text)


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Everything as plain values."""
    return {
        "x": comparison.axis.label,
        "curve": comparison.shows,
        "threshold": comparison.threshold,
        "warnings": list(comparison.warnings),
        "notes": list(comparison.notes),
        "arms": [_arm(arm, comparison.threshold is not None) for arm in comparison.arms],
        "without_complete_runs": [arm.label for arm in comparison.empty],
        "improvement": list(_pairs(comparison.arms)),
        "differences": [
            {
                "kind": each.kind,
                "name": each.name,
                "values": dict(zip((arm.label for arm in comparison.arms), each.values, strict=True)),
            }
            for each in comparison.differences
        ],
    }


def _arm(arm: MeasuredArm, threshold: bool) -> dict[str, Any]:
    measures = [*MEASURES, *(["reached"] if threshold else [])]
    return {
        "label": arm.label,
        "runs": [
            {"folder": str(run.folder), "seed": run.seed, "state": run.state(), "end": curve.end}
            | {measure: getattr(values, measure) for measure in measures}
            for run, curve, values in zip(arm.arm.runs, arm.curves, arm.runs, strict=True)
        ],
        **{measure: _estimate(arm.estimate(measure)) for measure in measures},
    }


def _estimate(found: Estimate) -> dict[str, float | None]:
    return {"interquartile_mean": found.value, "low": found.low, "high": found.high}


def _pairs(arms: Sequence[MeasuredArm]) -> Iterator[dict[str, Any]]:
    for number, arm in enumerate(arms):
        for other in arms[:number]:
            for measure in COMPARED:
                found = arm.improvement(other, measure)
                if found is not None:
                    interval = {"probability": found.value, "low": found.low, "high": found.high}
                    yield {"measure": measure, "better": arm.label, "than": other.label, **interval}


def _probability(arm: MeasuredArm, reference: MeasuredArm, measure: str) -> str:
    if arm is reference:
        return ""
    found: Probability | None = arm.improvement(reference, measure)
    return "–" if found is None else str(found)
