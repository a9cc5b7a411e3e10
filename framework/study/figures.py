"""The plots of a study: the results of each arm, and their curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from framework.recording.drawing import BLACK, BLUE, VERMILION, save_figure
from framework.study.results import Curve, RunResult
from framework.study.statistics import Estimate, Summary, mean_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4
"""The largest number of panels side by side."""

POINTS = 500
"""The number of points at which a run's curve is drawn."""


def draw_summary(summaries: Sequence[Summary], path: Path) -> Path:
    """Draw the final return and the area under the curve with one line for each arm, and return the path.

    Each seed is a point, the interquartile mean a tick and its 95 % interval a bar. The dotted line is the mean of the
    first arm.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.4 + 0.36 * len(summaries)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _panel(left, "final return", summaries, lambda arm: arm.final, lambda run: run.final)
    _panel(right, "area under the curve", summaries, lambda arm: arm.area, lambda run: run.area)
    left.set_yticks(range(len(summaries)), [summary.arm for summary in summaries], parse_math=False)
    left.set_ylim(len(summaries) - 0.4, -0.6)
    return save_figure(figure, path)


def draw_curves(summaries: Sequence[Summary], path: Path, title: str = "") -> Path:
    """Draw the running mean return against environment steps with one panel for each arm, and return the path.

    A thin line is a seed, the thick line their interquartile mean. The dotted line in the other panels is the mean of
    the first arm.
    """
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(summaries))
    rows = math.ceil(len(summaries) / columns)
    figure = Figure(figsize=(max(5.0, 3.4 * columns), 0.6 + 2.5 * rows), layout="constrained")
    if title:
        figure.suptitle(title, parse_math=False)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    reference = mean_curve([run.curve for run in summaries[0].runs])
    for number, (axes, summary) in enumerate(zip(panels, summaries, strict=False)):
        for run in summary.runs:
            axes.plot(*sampled(run.curve), color=BLUE, linewidth=0.7, alpha=0.6)
        if number:
            axes.plot(*reference, color=BLACK, linewidth=1.2, linestyle=":")
        axes.plot(*mean_curve([run.curve for run in summary.runs]), color=BLUE, linewidth=2.2)
        axes.set_title(summary.arm, fontsize="medium", parse_math=False)
        axes.grid(alpha=0.25)
        if number % columns == 0:
            axes.set_ylabel("mean of last 100")
        if number >= len(summaries) - columns:
            axes.set_xlabel("environment steps")
            axes.tick_params(labelbottom=True)
    for axes in panels[len(summaries) :]:
        axes.set_visible(False)
    return save_figure(figure, path)


def _panel(
    axes: Axes,
    title: str,
    summaries: Sequence[Summary],
    together: Callable[[Summary], Estimate],
    alone: Callable[[RunResult], float | None],
) -> None:
    axes.set_title(title)
    axes.grid(axis="x", alpha=0.25)
    first = together(summaries[0]).value
    if first is not None and len(summaries) > 1:
        axes.axvline(first, color=BLACK, linewidth=0.8, linestyle=":")
    for line, summary in enumerate(summaries):
        found = together(summary)
        if found.low is not None and found.high is not None:
            axes.plot([found.low, found.high], [line, line], color=BLUE, linewidth=9, alpha=0.3, solid_capstyle="butt")
        if found.value is not None:
            axes.plot([found.value, found.value], [line - 0.3, line + 0.3], color=BLUE, linewidth=2.2)
        seeds = [value for run in summary.runs if (value := alone(run)) is not None]
        axes.plot(seeds, [line] * len(seeds), "o", color=VERMILION, markersize=4, markerfacecolor="none")


def sampled(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """A curve at evenly spaced places, from its first value to its end."""
    start = curve.x[0].item() if len(curve.x) else curve.end
    x = np.unique(np.linspace(start, curve.end, POINTS).astype(curve.x.dtype))
    return x, curve.at(x)
