"""The action values of a finite environment as a table, and the exact optimum beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, RecordEpisodeStatistics, TimeLimit
from jaxtyping import Bool, Float64, Int64

from framework.assembly.parts import Agent
from framework.environments.declared import reward_limits_of
from framework.errors import UnsupportedSpace
from framework.options import ReturnsOptions
from framework.spaces import Record, States
from framework.types import Board

LONGEST_SIDE = 40
"""A board with more rows or columns is not drawn: its cells would be too small to read."""

MOST_STATES = 200
"""The most states of a table that is drawn without a board."""

MOST_SOLVED = LONGEST_SIDE**2
"""The most states of an environment that is asked for its optimum: the time grows with their cube."""

ROUNDING = 1e-12
"""Values whose relative difference is smaller differ by rounding alone."""

HARMLESS = (TimeLimit, OrderEnforcing, PassiveEnvChecker, RecordEpisodeStatistics)
"""Wrappers that leave the optimal action values as they are."""


@dataclass(frozen=True)
class Table:
    """Action values of the states of a finite environment, under the weights that play evaluations."""

    states: Int64[np.ndarray, " S"]
    """The numbers of the states."""
    count: int
    """The number of all states; more than S if the others are left out."""
    values: Float64[np.ndarray, "S A"]
    exact: Float64[np.ndarray, "S A"] | None
    """The optimal action values, if the environment knows them."""
    why_not: str
    """Why `exact` is None, in words."""
    gamma: float
    board: Board | None
    """Where the states are drawn; None: as a list."""
    masked: bool = False
    """Whether the environment allows only some actions. Which ones cannot be told from a state's number."""


def table_of(agent: Agent) -> Table | None:
    """The action values of an agent's states; None if the observations are not finite."""
    try:
        states = States(agent.spaces.observation)
    except UnsupportedSpace:
        return None
    board = agent.spaces.board
    if board is not None and max(board.rows, board.columns) > LONGEST_SIDE:
        board = None
    shown = np.arange(states.count if board is not None else min(states.count, MOST_STATES), dtype=np.int64)
    values = agent.policy.action_values(states.observations(shown), explore=False).astype(np.float64)
    exact, why_not = _optimum(agent, states.count)
    gamma = agent.config[ReturnsOptions].gamma
    frame = agent.spaces.frame
    masked = isinstance(frame, Record) and bool(frame.actions)
    return Table(shown, states.count, values, None if exact is None else exact[shown], why_not, gamma, board, masked)


def greedy(values: Float64[np.ndarray, "S A"]) -> Bool[np.ndarray, "S A"]:
    """Which actions are the best of their state. Several are, if their values differ by rounding alone."""
    best = values.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # of infinite values, only equal ones are ties
        near = values >= best - ROUNDING * np.maximum(1.0, np.abs(best))
    return near | (values == best)


def _optimum(agent: Agent, states: int) -> tuple[Float64[np.ndarray, "S A"] | None, str]:
    """The environment's own answer to `q_star(gamma)`, if it is that of what the agent learns; else why it is not."""
    if states > MOST_SOLVED:
        return None, f"it is asked for with up to {MOST_SOLVED:,} states"
    made = agent.builder.single_environments("train", 1)
    env: Any = made if isinstance(made, VectorEnv) else made()
    try:
        found: Any = env
        while isinstance(found, gymnasium.Wrapper) and not hasattr(found, "q_star"):
            if not isinstance(found, HARMLESS):
                return None, f"the wrapper {type(found).__name__} may change it"
            found = found.env
        if not hasattr(found, "q_star"):
            return None, "the environment has no method q_star(gamma)"
        clip, scale = reward_limits_of(env.metadata)
        if clip is not None:
            return None, "the rewards that the agent learns are clipped"
        try:
            exact = scale * np.asarray(found.q_star(agent.config[ReturnsOptions].gamma), np.float64)
        except Exception as error:  # a stranger's method may raise anything, and the rest can still be shown
            return None, f"q_star raised {type(error).__name__}: {error}"
        wanted = (states, agent.spaces.num_actions)
        if exact.shape != wanted:
            return None, f"q_star returned {list(exact.shape)} values, not {list(wanted)}"
        return exact, ""
    finally:
        env.close()
