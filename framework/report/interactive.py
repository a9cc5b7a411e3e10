"""Figures for plotly.js as plain values: zoom, values under the pointer, and a switch for each seed in the legend.

plotly.js reads its labels as a small part of HTML, so every text from a run is escaped.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any

from framework.comparison.compare import Comparison
from framework.recording.drawing import style_of
from framework.report.series import Line, Panel
from framework.study.figures import sampled
from framework.study.statistics import band, mean_curve

PANEL_PIXELS, EDGE_PIXELS = 210, 90
GAP = 0.22
"""The share of a panel's height that is left for the title of the next one."""

Figure = dict[str, Any]


def panels_figure(panels: Sequence[Panel], x_label: str) -> Figure | None:
    """The panels that have lines below each other. A click on a run in the legend hides it in all of them."""
    drawn = [panel for panel in panels if panel.lines]
    if not drawn:
        return None
    traces, named = [], set()
    layout = _layout(x_label, PANEL_PIXELS * len(drawn) + EDGE_PIXELS)
    layout["xaxis"]["anchor"] = "y" if len(drawn) == 1 else f"y{len(drawn)}"
    layout["annotations"] = []
    for number, panel in enumerate(drawn):
        axis = "y" if number == 0 else f"y{number + 1}"
        top = 1 - number / len(drawn)
        high = top - GAP / len(drawn)
        place = {"domain": [top - 1 / len(drawn), high], "anchor": "x", "range": _range(panel)}
        layout[f"yaxis{axis[1:]}"] = {**AXIS, **place}
        layout["annotations"].append(
            {
                **TITLE,
                "text": html.escape(panel.title, quote=False),
                "x": 0,
                "y": high,
                "xref": "paper",
                "yref": "paper",
            }
        )
        for line in panel.lines:
            traces.append({**_trace(line), "yaxis": axis, "showlegend": line.name not in named})
            named.add(line.name)
    return {"data": traces, "layout": layout}


def comparison_figure(comparison: Comparison) -> Figure:
    """The curves of all arms: seeds, aggregates and bands, each with its own switch in the legend."""
    traces: list[dict[str, Any]] = []
    for number, arm in enumerate(comparison.arms):
        colour, dash = style_of(number)
        label = html.escape(arm.label, quote=False)
        line = {"color": colour, "dash": dash}
        spread = band(arm.curves)
        if spread is not None:
            x, low, high = spread
            outline = {"x": [*x.tolist(), *x.tolist()[::-1]], "y": _numbers([*high.tolist(), *low.tolist()[::-1]])}
            fill = {"fill": "toself", "fillcolor": f"{colour}2e", "line": {"width": 0}, "hoverinfo": "skip"}
            traces.append({**SCATTER, **outline, **fill, "name": f"{label}: 95 % band"})
        for name, curve in zip(arm.arm.names_of_runs(), arm.curves, strict=True):
            x, y = sampled(curve)
            thin = {"line": {**line, "width": 1}, "opacity": 0.55, "name": f"{label}: {html.escape(name, quote=False)}"}
            traces.append({**SCATTER, "x": x.tolist(), "y": _numbers(y.tolist()), **thin})
        x, y = mean_curve(arm.curves)
        thick = {"line": {**line, "width": 3}, "name": label, "mode": "lines+markers" if len(x) == 1 else "lines"}
        traces.append({**SCATTER, "x": x.tolist(), "y": _numbers(y.tolist()), **thick})
    rows = len(traces)
    layout = _layout(comparison.axis.label, 480 + 10 * rows)
    layout["yaxis"] = {**AXIS, "title": {"text": comparison.shows}}
    if comparison.threshold is not None:
        ends = {"x0": 0, "x1": 1, "xref": "paper", "y0": comparison.threshold, "y1": comparison.threshold}
        layout["shapes"] = [{"type": "line", **ends, "line": {"width": 1, "dash": "dot"}}]
    return {"data": traces, "layout": layout}


SCATTER = {"type": "scatter", "mode": "lines", "hovertemplate": "%{x:,}: %{y:.5~g}"}
AXIS = {"gridcolor": "#e5e5e5", "zeroline": False, "automargin": True}
TITLE = {
    "x": 0,
    "xref": "paper",
    "yref": "paper",
    "showarrow": False,
    "xanchor": "left",
    "yanchor": "bottom",
    "font": {"size": 13},
}


def _layout(x_label: str, height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 30, "b": 50},
        "hovermode": "closest",
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "#222"},
        "legend": {"groupclick": "togglegroup"},
        "xaxis": {**AXIS, "title": {"text": x_label}, "rangemode": "tozero"},
    }


def _range(panel: Panel) -> list[float]:
    """From the lowest to the highest value with a margin; plotly leaves none, so lines at the edge would be cut."""
    values = [value for line in panel.lines for value in line.y if math.isfinite(value)]
    spread = max((value for line in panel.lines for value in line.spread or () if math.isfinite(value)), default=0.0)
    low, high = min(values, default=0.0) - spread, max(values, default=1.0) + spread
    margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
    return [low - margin, high + margin]


def _trace(line: Line) -> dict[str, Any]:
    colour, dash = style_of(line.run)
    name = html.escape(line.name, quote=False)
    # what is a run's own in every panel is switched at once
    found: dict[str, Any] = {**SCATTER, "x": list(line.x), "y": _numbers(line.y), "name": name, "legendgroup": name}
    if line.kind == "points":
        return {**found, "mode": "markers", "marker": {"color": colour, "size": 4, "opacity": 0.3}}
    found["line"] = {"color": colour, "dash": dash, "width": 1.6}
    if line.kind == "marked" or len(line.x) == 1:
        found |= {"mode": "lines+markers", "marker": {"color": colour, "size": 6}}
    if line.spread is not None:
        found["error_y"] = {"type": "data", "array": _numbers(line.spread), "thickness": 1, "width": 3}
    return found


def _numbers(values: Iterable[float]) -> list[float | None]:
    """The values as JSON knows them: NaN, which is not drawn, becomes null. Six digits are more than a screen shows."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
