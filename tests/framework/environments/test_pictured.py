"""What environments declare for pictures: names of actions and boards, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete

from envs.chain import ChainEnv
from envs.grid import GridEnv
from framework.assembly.assemble import assemble_agent
from framework.environments.pictured import action_names_of, board_of
from framework.errors import UsageError

GOOD = {"rows": 1, "columns": 2, "moves": [(0, -1), None], "labels": {1: "G"}}


def test_the_boards_of_the_tiny_environments_have_a_cell_for_each_state_but_walls() -> None:
    for names, env in (("tabular,chain", ChainEnv()), ("tabular,grid", GridEnv())):
        spaces = assemble_agent(names).spaces
        board, names_ = spaces.board, spaces.action_names
        assert board is not None and names_ is not None
        moves = dict(zip(names_, board.moves, strict=True))
        directions = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}
        assert moves == {name: directions[name] for name in moves}
        for state, row in enumerate(env.transitions()):
            cell, stays = board.cell(state), row[0] == [(1.0, state, 0.0, True)]
            assert (cell is None or state in board.labels) == stays
            if stays:
                continue
            for action, outcomes in enumerate(row):
                (outcome,) = outcomes
                after = board.cell(outcome.next_state)
                wanted = tuple(here + move for here, move in zip(cell, board.moves[action], strict=True))
                assert after in (wanted, cell), "an arrow points where its action leads, or at a wall"


def test_a_board_of_cells_and_one_row_by_row() -> None:
    board = board_of({"board": GOOD}, Discrete(2), 2)
    assert board is not None
    assert [board.cell(0), board.cell(1), board.moves, board.labels] == [(0, 0), (0, 1), ((0, -1), None), {1: "G"}]
    turned = board_of({"board": {**GOOD, "cells": [(0, 1), None]}}, Discrete(2), 2)
    assert turned is not None and [turned.cell(0), turned.cell(1)] == [(0, 1), None]
    assert board_of({"board": {**GOOD, "rows": 3}}, MultiDiscrete([3, 2]), 2) is not None
    assert board_of({}, Discrete(2), 2) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 2}, "4 cells for 2 states"),
        ({"cells": [(0, 0)]}, "1 cells for 2 states"),
        ({"cells": [(0, 0), (0, 2)]}, "lies outside of 1 rows and 2 columns"),
        ({"cells": [(0, 0), (0, 0)]}, "two states share a cell"),
        ({"labels": {2: "G"}}, "is not one of 2"),
        ({"labels": 3}, "board is not supported"),
        ({"moves": [None]}, "1 moves for 2 actions"),
        ({"moves": 7}, "board is not supported"),
        ({"rows": None}, "board is not supported"),
        ({"rows": "many"}, "board is not supported"),
    ],
)
def test_a_board_that_does_not_fit_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        board_of({"board": {**GOOD, **change}}, Discrete(2), 2)


def test_only_a_finite_environment_has_a_board() -> None:
    with pytest.raises(UsageError, match="only a finite environment has one"):
        board_of({"board": GOOD}, Box(0, 1), 2)
    with pytest.raises(UsageError, match="board is not supported"):
        board_of({"board": "5 × 5"}, Discrete(2), 2)


@pytest.mark.parametrize("names", [["left"], "lr", [1, 2], 7])
def test_names_of_actions_that_do_not_fit_are_refused(names: Any) -> None:
    with pytest.raises(UsageError, match="a name for each of 2 actions"):
        action_names_of({"action_names": names}, 2)
    assert action_names_of({"action_names": ("left", "right")}, 2) == ("left", "right")
