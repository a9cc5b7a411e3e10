"""Pictures of the curves for readers without scripts, and for print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from framework.recording.drawing import STYLES, style_of
from framework.report.series import Line, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MOST_NAMED = 12
"""The largest number of runs that a legend names; more would take the room of the curves."""


def panels_figure(panels: Sequence[Panel], x_label: str) -> Figure | None:
    """The panels that have lines below each other, with one axis of progress; None if there are none."""
    from matplotlib.figure import Figure

    drawn = [panel for panel in panels if panel.lines]
    if not drawn:
        return None
    figure = Figure(figsize=(9, 0.9 + 2.1 * len(drawn)), layout="constrained")
    every = figure.subplots(len(drawn), 1, sharex=True, squeeze=False)[:, 0]
    names: dict[str, Line2D] = {}
    for axes, panel in zip(every, drawn, strict=True):
        axes.set_title(panel.title, fontsize="medium", loc="left")
        axes.grid(alpha=0.25)
        for line in panel.lines:
            names.setdefault(line.name, _draw(axes, line))
    every[-1].set_xlabel(x_label)
    every[-1].set_xlim(left=0)
    if len(names) <= MOST_NAMED:
        legend = figure.legend(list(names.values()), list(names), loc="outside lower center", ncols=4, frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)
    return figure


def _draw(axes: Axes, line: Line) -> Line2D:
    colour, dashes = style_of(line.run)
    if line.kind == "points":
        return axes.plot(line.x, line.y, ".", color=colour, markersize=3, alpha=0.3, markeredgewidth=0)[0]
    marker = "o" if line.kind == "marked" or len(line.x) == 1 else ""
    if line.spread is not None:
        axes.errorbar(line.x, line.y, yerr=line.spread, fmt="none", ecolor=colour, elinewidth=0.8, capsize=2)
    return axes.plot(
        line.x, line.y, color=colour, linewidth=1.3, linestyle=STYLES[dashes], marker=marker, markersize=4
    )[0]
