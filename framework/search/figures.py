"""The plots of a sweep: the importance of each option, and the objective against each option."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from framework.recording.drawing import BLUE, VERMILION, save_figure
from framework.search.definition import Definition
from framework.search.ledger import Trial, best_of
from framework.search.objective import OBJECTIVES
from framework.search.space import Choice, Space

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 3
"""The largest number of panels side by side."""
LONGEST = 18
"""Characters of a value on an axis."""


def draw_importances(importances: Mapping[str, float], path: Path) -> Path:
    """Draw a bar for each option, the most important on top, and return the path.

    Args:
        importances: option → its share, from 0 to 1.
    """
    from matplotlib.figure import Figure

    ordered = sorted(importances.items(), key=lambda item: item[1])
    figure = Figure(figsize=(7, 1.3 + 0.36 * len(ordered)), layout="constrained")
    axes = figure.subplots()
    axes.barh(range(len(ordered)), [share for _, share in ordered], color=BLUE, height=0.6)
    axes.set_yticks(range(len(ordered)), [name for name, _ in ordered], parse_math=False)
    if not any(importances.values()):
        axes.text(0.5, 0.5, "unknown: few trials, or none better than others", ha="center", transform=axes.transAxes)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the importance (PED-ANOVA, best trials against all)")
    axes.grid(axis="x", alpha=0.25)
    return save_figure(figure, path)


def draw_slices(definition: Definition, trials: Sequence[Trial], path: Path) -> Path:
    """Draw the complete trials with one panel for each option, and return the path.

    A point is a trial, a line its seeds from the lowest to the highest. The best trial has another colour and form.
    """
    from matplotlib.figure import Figure

    complete = [trial for trial in trials if trial.state == "complete"]
    columns = min(COLUMNS, len(definition.space))
    lines = math.ceil(len(definition.space) / columns)
    figure = Figure(figsize=(max(5.0, 3.6 * columns), 0.4 + 2.9 * lines), layout="constrained")
    meaning = f"{definition.objective}: {OBJECTIVES[definition.objective]}"
    figure.suptitle(
        fill(f"{meaning}. A point is a trial, its line the seeds, the diamond the best.", 45 * columns), size=9
    )
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
    best = best_of(complete)
    for number, (axes, (option, space)) in enumerate(zip(panels, definition.space.items(), strict=False)):
        for trial in complete:
            place = _place(space, trial.values[option])
            is_best = trial == best
            colour = VERMILION if is_best else BLUE
            axes.plot([place] * 2, [min(trial.of_seeds), max(trial.of_seeds)], color=colour, alpha=0.35, linewidth=1)
            mark, size = ("D", 7) if is_best else ("o", 4)
            axes.plot([place], [trial.value], mark, color=colour, markersize=size, alpha=1.0 if is_best else 0.6)
        _scale(axes, space)
        axes.set_xlabel(option, parse_math=False)
        axes.grid(alpha=0.25)
        if number % columns == 0:
            axes.set_ylabel(definition.objective)
    for axes in panels[len(definition.space) :]:
        axes.set_visible(False)
    return save_figure(figure, path)


def _place(space: Space, value: object) -> float:
    if isinstance(space, Choice):
        return float(space.labels.index(Choice((value,)).labels[0]))
    assert isinstance(value, int | float)
    return float(value)


def _scale(axes: Axes, space: Space) -> None:
    """Show the whole range, so that an empty part of it is seen."""
    if isinstance(space, Choice):
        names = [label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…" for label in space.labels]
        axes.set_xticks(range(len(names)), names, parse_math=False)
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif space.logarithmic:
        axes.set_xscale("log")
        margin = (space.high / space.low) ** 0.05
        axes.set_xlim(space.low / margin, space.high * margin)
    else:
        margin = 0.05 * (space.high - space.low)
        axes.set_xlim(space.low - margin, space.high + margin)
