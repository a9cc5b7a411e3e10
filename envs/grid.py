"""A tiny grid world, and the plugin `grid` that offers it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import field_validator

from envs.model import DiscreteEnv, ModelEnv, Outcome, Transitions, recommended, stay_ended, time_limited
from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.types import Role

LAYOUT = ("...G", ".#.P", "S...")

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Up, right, down, left as (rows, columns). Seen as a circle, the entries next to an action are perpendicular to it."""

ENTRY_REWARDS = {"G": 1.0, "P": -1.0}
"""Tile that ends an episode → the reward for entering it."""


def check_layout(layout: object) -> tuple[str, ...]:
    """Check the rows of a layout: ".": floor, "#": wall, "S": start, "G": goal, "P": pit.

    Raises:
        ValueError: unless it is a sequence of equally long strings of these, with exactly one S and at least one G.
    """
    if isinstance(layout, str) or not isinstance(layout, Sequence) or not all(isinstance(row, str) for row in layout):
        raise ValueError(f'a layout is a list of rows such as ["S.G", "..P"], got {layout!r}')
    rows: tuple[str, ...] = tuple(layout)
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"a layout's rows must be equally long, got lengths {[len(row) for row in rows]}")
    text = "".join(rows)
    unknown = sorted(set(text) - set(".#SGP"))
    if unknown:
        raise ValueError(f"a layout is made of '.', '#', 'S', 'G' and 'P', got {', '.join(map(repr, unknown))}")
    if text.count("S") != 1:
        raise ValueError(f"a layout needs exactly one start 'S', got {text.count('S')}")
    if "G" not in text:
        raise ValueError("a layout needs at least one goal 'G', got none")
    return rows


def grid_transitions(layout: Sequence[str], step_reward: float, slip: float) -> Transitions:
    """The model of a checked layout. Cells are states, row by row. No action leaves a wall or an end."""
    width = len(layout[0])
    text = "".join(layout)

    def enter(state: int, direction: int, probability: float) -> Outcome:
        row, column = (here + move for here, move in zip(divmod(state, width), MOVES[direction], strict=True))
        inside = 0 <= row < len(layout) and 0 <= column < width
        target = row * width + column if inside and layout[row][column] != "#" else state
        return Outcome(
            probability, target, step_reward + ENTRY_REWARDS.get(text[target], 0.0), text[target] in ENTRY_REWARDS
        )

    def outcomes(state: int, action: int) -> list[Outcome]:
        chances = ((action, 1 - slip), ((action + 1) % 4, slip / 2), ((action - 1) % 4, slip / 2))
        return [enter(state, direction, chance) for direction, chance in chances if chance > 0]

    return [
        stay_ended(state, 4)
        if tile == "#" or tile in ENTRY_REWARDS
        else [outcomes(state, action) for action in range(4)]
        for state, tile in enumerate(text)
    ]


class GridEnv(ModelEnv):
    """
    ## Description
    The agent walks on a small grid to a goal. It must avoid a pit, and cannot enter walls. The default is the 4 × 3
    grid of Russell & Norvig, *Artificial Intelligence*, chapter "Making complex decisions", without the slips:

        ...G
        .#.P
        S...

    ## Observation space
    `Discrete(rows · columns)`: the cell, counted row by row from the top left. Walls are counted and never visited.

    ## Action space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. A move into a wall or over the edge stays in place. With
    probability `slip` the move goes in one of the two perpendicular directions instead, each equally likely.

    ## Rewards
    `step_reward` for every step, plus +1 on entering a goal and −1 on entering a pit.

    ## Start
    The cell S.

    ## End
    Entering G or P terminates. The id `framework/Grid-v0` and the plugin truncate after 100 steps.

    ## Arguments
    layout: rows of ".": floor, "#": wall, "S": start (exactly one), "G": goal (at least one), "P": pit.
    step_reward: the reward of each step; a cost if negative.
    slip: probability of a perpendicular move, in [0, 1].
    render_mode: "ansi", "rgb_array" or None.

    Raises:
        ValueError: for any other argument.
    """

    def __init__(
        self,
        layout: Sequence[str] = LAYOUT,
        step_reward: float = 0.0,
        slip: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        rows = check_layout(layout)
        if not math.isfinite(step_reward):
            raise ValueError(f"step_reward must be finite, got {step_reward}")
        if not 0 <= slip <= 1:
            raise ValueError(f"slip must be a probability in [0, 1], got {slip}")
        moves = dict(zip(("up", "right", "down", "left"), MOVES, strict=True))
        super().__init__(grid_transitions(rows, step_reward, slip), "".join(rows).index("S"), rows, render_mode, moves)


class GridOptions(Section, name="grid"):
    """The grid's options."""

    layout: tuple[str, ...] = Field(
        default=LAYOUT, description='rows of ".": floor, "#": wall, "S": start, "G": goal (+1), "P": pit (-1)'
    )
    step_reward: float = Field(default=0.0, description="reward of each step, besides those of the goal and the pit")
    slip: float = Field(default=0.0, ge=0, le=1, description="probability of moving perpendicularly to the action")
    max_steps: int = Field(default=100, ge=0, description="steps after which an episode is truncated; 0: no limit")

    # Runs before pydantic's own validation, which would report each row separately.
    _layout = field_validator("layout", mode="before")(check_layout)


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [GridOptions]


@hookimpl
def make_env(config: Config, role: Role) -> Callable[[], DiscreteEnv]:
    options = config[GridOptions]
    mode = "rgb_array" if role == "watch" else None
    make = partial(GridEnv, options.layout, options.step_reward, options.slip, mode)
    return partial(time_limited, make, options.max_steps)


@hookimpl
def recommended_values(names: Sequence[str]) -> Mapping[str, Any]:
    return recommended(names, episodes=500, final=0.05, horizon=250, env_steps=10_000)
