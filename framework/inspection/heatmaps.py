"""Draws tables of action values: on the environment's board, or as a list of states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from framework.inspection.tables import ROUNDING, Table, greedy
from framework.types import Board, Spaces

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

VALUES, DIFFERENCES = "viridis", "RdBu_r"
"""Colour maps that colour-blind readers can tell apart: for values, and for differences from 0."""

MOST_NUMBERS = 64
"""Up to this many cells, the values are written into the cells."""

LONGEST_LABEL = 14
"""Names of actions are cut to so many letters where there is little room."""

SIDES: dict[tuple[int, int], tuple[float, float]] = {
    (-1, 0): (0.0, -0.5),
    (0, 1): (0.5, 0.0),
    (1, 0): (0.0, 0.5),
    (0, -1): (-0.5, 0.0),
}
"""Move (rows, columns) → the middle of that side of a cell (x, y), from its centre; y points down."""

Panel = tuple[str, Float64[np.ndarray, "S A"], bool]
"""Title, numbers, and whether they are differences."""


def draw_table(table: Table, spaces: Spaces, title: str) -> Figure:
    """Draw the learnt action values; beside them the exact ones and the difference, where these are known."""
    from matplotlib.figure import Figure

    panels: list[Panel] = [("learnt", table.values, False)]
    if table.exact is not None:
        panels += [("exact optimum Q*", table.exact, False), ("learnt − exact", table.values - table.exact, True)]
    board = table.board
    stacked = board is not None and board.columns > 2 * board.rows
    width, height = _size(table, spaces, board)
    down, across = (len(panels), 1) if stacked else (1, len(panels))
    figure = Figure(figsize=(across * width, down * height + 0.6), layout="constrained")
    grid: Any = figure.subplots(down, across, squeeze=False)
    for axes, (name, numbers, differences) in zip(grid.flat, panels, strict=True):
        mapping = _mapping(table, numbers, differences)
        if board is None:
            _draw_list(axes, table, spaces, numbers, mapping, differences)
        else:
            _draw_board(axes, board, table, numbers, mapping, differences)
        axes.set_title(name, fontsize=10)
        unit = "difference of discounted returns" if differences else f"discounted return, γ = {table.gamma:g}"
        bar = figure.colorbar(mapping, ax=axes, shrink=0.9)
        bar.set_label(unit, fontsize=8)
        bar.ax.tick_params(labelsize=8)
    left_out = table.count - len(table.states)
    more = f"\nthe first {len(table.states):,} of {table.count:,} states" if left_out else ""
    without = f"\nno exact optimum: {table.why_not}" if table.exact is None else ""
    figure.suptitle(f"{title}{more}{without}", fontsize=10, parse_math=False)
    return figure


def arrows(table: Table) -> list[tuple[int, int]]:
    """The arrows of the greedy policy as (state, action). A state whose best actions are equal has several.

    A state with a label has none, because nobody acts there, and so has an action without a move. Where actions are
    masked there are none: the largest value may be that of an action that is not allowed.
    """
    board = table.board
    if board is None or table.masked:
        return []
    best = greedy(table.values)
    return [
        (int(state), action)
        for row, state in enumerate(table.states)
        if board.cell(int(state)) is not None and int(state) not in board.labels
        for action in np.flatnonzero(best[row]).tolist()
        if board.moves[action] is not None
    ]


def _size(table: Table, spaces: Spaces, board: Board | None) -> tuple[float, float]:
    """Width and height of one panel in inches."""
    if board is None:
        return max(4.5, 2.8 + 0.35 * spaces.num_actions), 1.6 + max(0.08, 0.16 - 0.0005 * len(table.states)) * len(
            table.states
        )
    side = 1.05 if board.rows * board.columns <= MOST_NUMBERS else 0.4
    return max(3.6, 1.6 + side * board.columns), max(1.5, 0.9 + side * board.rows)


def _mapping(table: Table, numbers: Float64[np.ndarray, "S A"], differences: bool) -> Any:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    if differences:
        most = max(float(np.nanmax(np.abs(numbers), initial=0.0)), 1e-6)
        return ScalarMappable(Normalize(-most, most), DIFFERENCES)
    both = table.values if table.exact is None else np.concatenate([table.values, table.exact])
    low, high = float(np.nanmin(both)), float(np.nanmax(both))
    return ScalarMappable(Normalize(low, high if high > low else low + 1.0), VALUES)


def _draw_board(
    axes: Axes, board: Board, table: Table, numbers: Float64[np.ndarray, "S A"], mapping: Any, differences: bool
) -> None:
    from matplotlib.patches import Polygon

    written = board.rows * board.columns <= MOST_NUMBERS
    axes.set(xlim=(-0.5, board.columns - 0.5), ylim=(board.rows - 0.5, -0.5), aspect="equal", facecolor="#555555")
    axes.set_xticks(range(board.columns)) if board.columns <= 12 else None
    axes.set_yticks(range(board.rows)) if board.rows <= 12 else None
    axes.tick_params(labelsize=7, length=2)
    shapes = wedges(board)
    for row, state in enumerate(table.states.tolist()):
        cell = board.cell(state)
        if cell is None:
            continue
        y, x = cell
        if state in board.labels:
            axes.add_patch(Polygon([(x + dx, y + dy) for dx, dy in SQUARE], facecolor="#EEEEEE", edgecolor="white"))
            axes.text(x, y, board.labels[state], ha="center", va="center", fontsize=11, parse_math=False)
            continue
        for action, corners in shapes.items():
            value = numbers[row].max() if action is None else numbers[row, action]
            colour = mapping.to_rgba(value)
            shape = [(x + dx, y + dy) for dx, dy in corners]
            axes.add_patch(Polygon(shape, facecolor=colour, edgecolor="white", linewidth=0.5))
            if written:
                at = np.mean([corner for corner in corners if corner != (0.0, 0.0)], axis=0)
                # towards the side, because the arrows begin in the middle
                place = 0.72 * at if len(shapes) > 2 else 0.5 * at + (0.0, 0.3)
                place = (0.0, 0.3) if action is None else place
                style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7, "color": _readable(colour)}
                axes.text(x + place[0], y + place[1], _number(value, differences), **style)
    if not differences:
        shown = Table(table.states, table.count, numbers, None, "", table.gamma, board)
        for state, action in arrows(shown):
            _draw_arrow(axes, board, state, action)


def _draw_arrow(axes: Axes, board: Board, state: int, action: int) -> None:
    from matplotlib.patheffects import Normal, Stroke

    cell, move = board.cell(state), board.moves[action]
    assert cell is not None and move is not None
    y, x = cell
    length = max(abs(move[0]), abs(move[1])) or 1
    tip = (x + 0.2 * move[1] / length, y + 0.2 * move[0] / length)
    arrow = axes.annotate(
        "", tip, (x, y), arrowprops={"arrowstyle": "-|>,head_width=0.25", "color": "black", "shrinkA": 0, "shrinkB": 0}
    )
    if arrow.arrow_patch is not None:
        arrow.arrow_patch.set_path_effects([Stroke(linewidth=3, foreground="white"), Normal()])


SQUARE = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
"""The corners of a cell (x, y), from its centre."""


def wedges(board: Board) -> dict[int | None, list[tuple[float, float]]]:
    """The part of a cell for each action: the corners (x, y) from the cell's centre. They fill the cell.

    If the moves are not different sides of a cell, the whole cell is one part, for the best action: {None: corners}.
    """
    moves = board.moves
    if len(set(moves)) != len(moves) or not all(move in SIDES for move in moves):
        return {None: list(SQUARE)}
    across = {abs(move[0]) for move in moves if move is not None}
    found: dict[int | None, list[tuple[float, float]]] = {}
    for action, move in enumerate(moves):
        assert move is not None
        x, y = SIDES[move]
        ends = [(x - y, y - x), (x + y, y + x)] if x else [(x - y, y), (x + y, y)]
        if len(across) == 2:
            found[action] = [(0.0, 0.0), *ends]
        else:
            found[action] = [*ends, *((end[0] - x, end[1] - y) for end in reversed(ends))]
    return found


def _draw_list(
    axes: Axes,
    table: Table,
    spaces: Spaces,
    numbers: Float64[np.ndarray, "S A"],
    mapping: Any,
    differences: bool,
) -> None:
    axes.imshow(numbers, cmap=mapping.get_cmap(), norm=mapping.norm, aspect="auto", interpolation="nearest")
    names = [spaces.name_of(action) for action in range(spaces.num_actions)]
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7, parse_math=False)
    step = max(1, len(table.states) // 40)
    axes.set_yticks(range(0, len(table.states), step), [str(state) for state in table.states[::step]], fontsize=7)
    dots = not differences and not table.masked
    axes.set_ylabel("state (dot: best action)" if dots else "state", fontsize=8)
    if dots:
        rows, actions = np.nonzero(greedy(numbers))
        axes.scatter(actions, rows, s=8, color="white", edgecolors="black", linewidths=0.5)


def _number(value: float, differences: bool) -> str:
    """Two digits behind the point for values, two digits for differences, and no "−0"."""
    if abs(value) < ROUNDING:
        return "0"
    return f"{value:.1g}" if differences else f"{value:.2f}"


def _readable(colour: tuple[float, float, float, float]) -> str:
    """Black or white: the one that can be read on this colour."""
    red, green, blue, _ = colour
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
