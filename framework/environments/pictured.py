"""What environments declare in their metadata for pictures: the names of actions, and a board of states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium

from framework.errors import UnsupportedSpace, UsageError
from framework.spaces import States
from framework.types import Board

BOARD = (
    "it must be {'rows': R, 'columns': C, 'moves': for each action (rows, columns) or None, 'cells': for each state "
    "(row, column) or None (default: row by row), 'labels': {state: text}}"
)


def action_names_of(metadata: Mapping[str, Any], actions: int) -> tuple[str, ...] | None:
    """The entry `action_names` of an environment's metadata; None if there is none.

    Raises:
        UsageError: unless it is one text for each action.
    """
    declared = metadata.get("action_names")
    if declared is None:
        return None
    good = isinstance(declared, Sequence) and not isinstance(declared, str)
    if not good or len(declared) != actions or not all(isinstance(name, str) for name in declared):
        raise UsageError(
            f"action_names = {declared!r} is not supported: it must be a name for each of {actions} actions"
        )
    return tuple(declared)


def board_of(metadata: Mapping[str, Any], frame: gymnasium.Space[Any], actions: int) -> Board | None:
    """The entry `board` of an environment's metadata; None if there is none.

    Args:
        frame: the space of observations, whose states the board lays out: see `framework.spaces.States`.

    Raises:
        UsageError: if the entry does not fit the states and actions.
    """
    declared = metadata.get("board")
    if declared is None:
        return None
    try:
        states = States(frame).count
        board = _parsed(declared, states)
    except UnsupportedSpace as error:
        raise UsageError(f"board: only a finite environment has one, and this one needs {error.needs}") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"board is not supported ({type(error).__name__}: {error}): {BOARD}") from error
    if len(board.moves) != actions:
        raise UsageError(f"board has {len(board.moves)} moves for {actions} actions: {BOARD}")
    return board


def _cells(given: Sequence[Any], rows: int, columns: int) -> tuple[tuple[int, int] | None, ...]:
    cells = tuple(None if cell is None else (int(cell[0]), int(cell[1])) for cell in given)
    placed = [cell for cell in cells if cell is not None]
    if not all(0 <= row < rows and 0 <= column < columns for row, column in placed):
        raise ValueError(f"a cell lies outside of {rows} rows and {columns} columns")
    if len(set(placed)) != len(placed):
        raise ValueError("two states share a cell")
    return cells


def _parsed(declared: Mapping[str, Any], states: int) -> Board:
    rows, columns = int(declared["rows"]), int(declared["columns"])
    given = declared.get("cells")
    cells = None if given is None else _cells(given, rows, columns)
    places = rows * columns if cells is None else len(cells)
    if places != states:
        raise ValueError(f"{places} cells for {states} states")
    labels = {int(state): str(text) for state, text in declared.get("labels", {}).items()}
    if not all(0 <= state < states for state in labels):
        raise ValueError(f"a label names a state that is not one of {states}")
    moves = tuple(None if move is None else (int(move[0]), int(move[1])) for move in declared["moves"])
    return Board(rows, columns, cells, moves, labels)
