"""The curves of a run, drawn from its metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framework.events import Callback
from framework.recording.drawing import BLACK, BLUE, GREEN, STYLES, VERMILION, save_figure, style_of
from framework.recording.learning import TAKEN
from framework.recording.metrics import METRICS
from framework.recording.rows import read_rows
from framework.types import Counters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[dict[str, Any]]

GROUPS: tuple[tuple[str, dict[str, str]], ...] = (
    ("loss", {"loss": "loss"}),
    ("temporal-difference error", {"td_error": "mean priority"}),
    ("action values", {"value_max": "largest", "value_mean": "mean of the best"}),
    ("norm of the gradient", {"optimizer/gradient_norm": "norm"}),
    ("age of a batch in steps", {"buffer/age": "age"}),
    ("share of the replay that counts", {"sampler/effective_share": "share"}),
    ("share of observations with the same best action", {"greedy_share": "share"}),
)
"""The panels of `learning.png`: title, and key of learning rows → name of the line."""


def draw_figures(folder: Path) -> list[Path]:
    """Draw `curves.png`, and `epsilon.png` and `learning.png` where there is something for them; return their paths.

    The curves show return, best return, running mean, ε and evaluations against training episodes. A run without a
    finished episode gets no figures. `learning.png` shows what the learning rows say, if there are at least two. Its
    curves are drawn against environment steps. matplotlib's global state stays unchanged.

    Raises:
        FrameworkError: if the folder's metrics are missing or damaged.
    """
    rows = read_rows(folder / METRICS)
    episodes = [row for row in rows if row.get("kind") == "episode"]
    evaluations = [row for row in rows if row.get("kind") == "evaluation"]
    if not episodes:
        return []
    drawn = [save_figure(_curves(folder.resolve().name, episodes, evaluations), folder / "curves.png")]
    if _has_epsilon(episodes):
        drawn.append(save_figure(_epsilon(folder.resolve().name, episodes), folder / "epsilon.png"))
    learning = [row for row in rows if row.get("kind") == "learning"]
    if len(learning) > 1:
        drawn.append(save_figure(_learning(folder.resolve().name, learning), folder / "learning.png"))
    return drawn


class DrawFigures(Callback):
    """Draws the figures when the run ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Args:
        folder: the run folder, where a `MetricsWriter` writes.
        """
        self._folder = folder

    def on_end(self, counters: Counters) -> None:
        draw_figures(self._folder)


def _curves(name: str, episodes: Rows, evaluations: Rows) -> Figure:
    figure, axes = _new_figure(name)
    numbers = _column(episodes, "episode")
    # One episode gives no line: show a point.
    marker = "." if len(episodes) == 1 else ""
    handles = axes.plot(
        numbers, _column(episodes, "return"), color=BLUE, linewidth=0.8, alpha=0.45, marker=marker, label="return"
    )
    handles += axes.plot(
        numbers,
        _column(episodes, "best"),
        color=GREEN,
        linewidth=1.4,
        linestyle="--",
        marker=marker,
        label="best return",
    )
    handles += axes.plot(
        numbers, _column(episodes, "mean_100"), color=BLUE, linewidth=2.2, marker=marker, label="mean of last 100"
    )
    if evaluations:
        handles.append(
            axes.errorbar(  # type: ignore[arg-type]  # a legend accepts this container, too
                _column(evaluations, "episode"),
                _column(evaluations, "mean"),
                yerr=_column(evaluations, "deviation"),
                fmt="D",
                color=BLACK,
                markersize=4,
                elinewidth=0.8,
                capsize=2,
                zorder=3,
                label="evaluation (± deviation)",
            )
        )
    axes.set_ylabel("return")
    if _has_epsilon(episodes):
        right = axes.twinx()
        handles += right.plot(
            numbers,
            _column(episodes, "epsilon"),
            color=VERMILION,
            linewidth=1.4,
            linestyle=":",
            marker=marker,
            label="ε",
        )
        right.set_ylabel("ε", color=VERMILION)
        right.tick_params(axis="y", colors=VERMILION)
        right.set_ylim(-0.05, 1.05)
    # Below the axes, where it hides no data.
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=len(handles), frameon=False)
    return figure


def _epsilon(name: str, episodes: Rows) -> Figure:
    figure, axes = _new_figure(name)
    marker = "." if len(episodes) == 1 else ""
    axes.plot(_column(episodes, "episode"), _column(episodes, "epsilon"), color=VERMILION, linewidth=1.8, marker=marker)
    axes.set_ylabel("ε")
    axes.set_ylim(-0.05, 1.05)
    return figure


def _learning(name: str, rows: Rows) -> Figure:
    """A panel for each group of numbers that the rows have."""
    from matplotlib.figure import Figure

    taken = sorted({key for row in rows for key in row if key.startswith(TAKEN)})
    groups = [*GROUPS, ("share of the actions taken", {key: key.removeprefix(TAKEN) for key in taken})]
    known = {title: [key for key in lines if any(row.get(key) is not None for row in rows)] for title, lines in groups}
    shown = [(title, lines) for title, lines in groups if known[title]]
    columns = 2
    lines_of_panels = -(-len(shown) // columns)
    figure = Figure(figsize=(9, 2.4 * lines_of_panels + 0.6), layout="constrained")
    figure.suptitle(name, parse_math=False)
    steps = _column(rows, "env_steps")
    for place, (title, lines) in enumerate(shown):
        axes = figure.add_subplot(lines_of_panels, columns, place + 1)
        axes.set_title(title, fontsize="medium")
        axes.grid(alpha=0.25)
        axes.margins(x=0.02)
        if place >= len(shown) - columns:
            axes.set_xlabel("environment steps")
        for number, key in enumerate(known[title]):
            colour, dashes = style_of(number)
            axes.plot(
                steps, _column(rows, key), color=colour, linestyle=STYLES[dashes], linewidth=1.2, label=lines[key]
            )
        if len(known[title]) > 1:
            axes.legend(fontsize="x-small", ncols=2 if len(known[title]) > 4 else 1)
    return figure


def _new_figure(title: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, parse_math=False)
    axes.set_xlabel("episode")
    axes.grid(alpha=0.25)
    return figure, axes


def _column(rows: Rows, key: str) -> list[float]:
    """The values of a key. A missing or null value becomes NaN, which is not drawn."""
    return [math.nan if row.get(key) is None else float(row[key]) for row in rows]


def _has_epsilon(episodes: Rows) -> bool:
    return any(row.get("epsilon") is not None for row in episodes)
