"""Draws what a replay holds: visits on the board or as a list, and the worst-predicted transitions."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Shaped

from framework.inspection.heatmaps import LONGEST_LABEL
from framework.inspection.replayed import Contents, Mistake
from framework.inspection.saliency import image_leaf, picture_of
from framework.inspection.tables import LONGEST_SIDE
from framework.recording.files import replacing
from framework.spaces import MASK
from framework.types import Spaces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("id", "observation", "action", "reward", "discount", "next observation", "Q(s, a)", "target", "TD error")


def draw_visits(contents: Contents, spaces: Spaces, title: str) -> Figure | None:
    """How often each state is in the replay, on the board; or pictures of the most frequent observations.

    None where there is neither a board nor an image: the list is printed then.
    """
    from matplotlib.figure import Figure

    board, leaf = spaces.board, image_leaf(spaces)
    title = f"{title}\n{contents.read:,} of {contents.held:,} transitions in the replay at step {contents.env_steps:,}"
    if board is not None and contents.counts is not None and max(board.rows, board.columns) <= LONGEST_SIDE:
        numbers = np.full((board.rows, board.columns), np.nan)
        figure = Figure(figsize=(2.5 + 0.8 * board.columns, 1.5 + 0.8 * board.rows), layout="constrained")
        axes: Any = figure.subplots()
        for state, count in enumerate(contents.counts.tolist()):
            cell = board.cell(state)
            if cell is not None and state not in board.labels:
                numbers[cell] = count
        drawn = axes.imshow(numbers, cmap="cividis", vmin=0)
        axes.set_facecolor("#555555")
        middle = np.nanmax(numbers) / 2
        for state in range(len(contents.counts)):
            cell = board.cell(state)
            if cell is not None:
                text = board.labels.get(state, f"{contents.counts[state]}")
                colour = "black" if numbers[cell] > middle else "white"
                axes.text(cell[1], cell[0], text, ha="center", va="center", fontsize=8, color=colour, parse_math=False)
        axes.set_xticks(range(board.columns)) if board.columns <= 12 else axes.set_xticks([])
        axes.set_yticks(range(board.rows)) if board.rows <= 12 else axes.set_yticks([])
        figure.colorbar(drawn, ax=axes, shrink=0.9).set_label(
            "visits (transitions that begin in the state)", fontsize=8
        )
        figure.suptitle(title, fontsize=10, parse_math=False)
        return figure
    if leaf is None:
        return None
    pictures = [
        (picture_of(visit.obs, leaf, spaces.frame_stack > 1), f"{visit.count} times") for visit in contents.visits
    ]
    return _gallery([pictures], f"most frequent observations: {title}")


def draw_mistakes(contents: Contents, spaces: Spaces, title: str) -> Figure | None:
    """Pictures of the worst-predicted transitions, each above what followed; None if observations are no images."""
    leaf = image_leaf(spaces)
    if leaf is None:
        return None
    stacked = spaces.frame_stack > 1
    before = [
        (
            picture_of(one.obs, leaf, stacked),
            f"{spaces.name_of(one.action)[:LONGEST_LABEL]}\nQ(s, a) {one.predicted:.3g}",
        )
        for one in contents.mistakes
    ]
    after = [
        (picture_of(one.next_obs, leaf, stacked), f"target {one.target:.3g}\nTD error {one.error:+.3g}")
        for one in contents.mistakes
    ]
    return _gallery([before, after], f"largest temporal-difference errors (upper row: s, lower row: s′): {title}")


def write_mistakes(path: Path, contents: Contents, spaces: Spaces) -> Path:
    """Write the worst-predicted transitions as a table of comma-separated values, and return its path."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(row_of(one, spaces) for one in contents.mistakes)
    return path


def row_of(one: Mistake, spaces: Spaces, digits: int = 17) -> list[str]:
    """A transition as the cells of `COLUMNS`."""
    return [
        str(one.id),
        shown(one.obs),
        spaces.name_of(one.action),
        *(f"{number:.{digits}g}" for number in (one.reward, one.discount)),
        shown(one.next_obs) if one.discount else "the episode ended",
        *(f"{number:.{digits}g}" for number in (one.predicted, one.target, one.error)),
    ]


def shown(obs: Shaped[np.ndarray, "1 *obs"]) -> str:
    """A small observation in words; of a large one only its shape."""
    one = obs[0]
    if one.dtype.names:
        return ", ".join(f"{name}: {shown(obs[name])}" for name in one.dtype.names if name != MASK)
    return str(np.asarray(one).tolist()) if np.size(one) <= 12 else f"{'×'.join(map(str, one.shape))} {one.dtype}"


def _gallery(rows: list[list[tuple[np.ndarray, str]]], title: str) -> Figure:
    from matplotlib.figure import Figure

    across = max(len(row) for row in rows)
    figure = Figure(figsize=(max(6.0, 1.5 * across), 0.9 + 2.1 * len(rows)), layout="constrained")
    grid: Any = figure.subplots(len(rows), across, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for line, row in zip(grid, rows, strict=True):
        for axes, (picture, text) in zip(line, row, strict=False):
            axes.set_axis_on()
            axes.set_xticks([])
            axes.set_yticks([])
            axes.imshow(picture, interpolation="nearest")
            axes.set_title(text, fontsize=7, parse_math=False)
    figure.suptitle(title, fontsize=9, parse_math=False)
    return figure
