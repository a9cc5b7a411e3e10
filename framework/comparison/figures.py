"""The picture of a comparison: every seed thin, the interquartile mean of each arm thick, with its bootstrap band."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from framework.comparison.compare import Comparison
from framework.recording.drawing import BLACK, STYLES, VERMILION, style_of
from framework.study.figures import sampled
from framework.study.statistics import band, mean_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

WARNING_SIGNS = 110
"""Signs in a line of a warning."""
WARNING_LINES = 4
LABEL_SIGNS = 60
"""Signs of an arm's label in the legend."""


def figure_of(comparison: Comparison) -> Figure:
    """The curves of all arms in one panel. What must not be compared has a warning above the curves."""
    from matplotlib.figure import Figure

    rows = (len(comparison.arms) + 1) // 2
    told = warning_lines(comparison)
    figure = Figure(figsize=(9, 5 + 0.22 * (rows + len(told))), layout="constrained")
    axes = figure.add_subplot()
    handles: list[Line2D] = []
    for number, arm in enumerate(comparison.arms):
        colour, dashes = style_of(number)
        for curve in arm.curves:
            axes.plot(*sampled(curve), color=colour, linewidth=0.7, alpha=0.45, linestyle=STYLES[dashes])
        spread = band(arm.curves)
        if spread is not None:
            axes.fill_between(*spread, color=colour, alpha=0.18, linewidth=0)
        seeds = f"{len(arm.runs)} seed{'' if len(arm.runs) == 1 else 's'}"
        # a point, where a single value makes no line
        x, mean = mean_curve(arm.curves)
        marker = "o" if len(x) == 1 else ""
        label = f"{textwrap.shorten(arm.label, LABEL_SIGNS, placeholder='…') or arm.label[:LABEL_SIGNS]} ({seeds})"
        line = axes.plot(x, mean, color=colour, linewidth=2.2, linestyle=STYLES[dashes], marker=marker, label=label)
        handles += line
    if comparison.threshold is not None:
        label = f"threshold {comparison.threshold:g}"
        handles.append(axes.axhline(comparison.threshold, color=BLACK, linewidth=0.8, linestyle=":", label=label))
    axes.set_xlabel(comparison.axis.label)
    axes.set_ylabel(comparison.shows)
    axes.grid(alpha=0.25)
    axes.set_xlim(left=0)
    legend = axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    if told:
        axes.set_title("\n".join(told), color=VERMILION, fontsize="small", loc="left", parse_math=False)
    return figure


def warning_lines(comparison: Comparison) -> list[str]:
    """The first warnings, in lines that fit above the picture."""
    lines = [
        line for warning in comparison.warnings for line in textwrap.wrap(f"Warning: {warning}", WARNING_SIGNS) or [""]
    ]
    return lines if len(lines) <= WARNING_LINES else [*lines[: WARNING_LINES - 1], "Warning: … and more"]
