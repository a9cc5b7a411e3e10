"""What the tiny environments share: a known transition model, its optimum, and drawing.

In the annotations S is the number of states and A the number of actions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.wrappers import TimeLimit
from jaxtyping import Float64, UInt8

CELL = 32
"""Side of a cell in pixels: an even number, because video encoders need one."""

COLOURS = {
    ".": (238, 238, 238),
    "S": (205, 220, 240),
    "#": (70, 70, 70),
    "G": (110, 190, 110),
    "P": (215, 95, 85),
    "E": (170, 170, 170),
}
"""Tiles: floor, start, wall, an end with a positive reward, one with a negative reward, one with none."""

AGENT_COLOUR = (40, 80, 160)

ActionValues = Float64[np.ndarray, "S A"]
Picture = UInt8[np.ndarray, "height width 3"]
DiscreteEnv = gymnasium.Env[np.int64, np.int64]


class Outcome(NamedTuple):
    """One possible result of an action."""

    probability: float
    next_state: int
    reward: float
    terminated: bool


Transitions = Sequence[Sequence[Sequence[Outcome]]]
"""transitions[state][action] → the outcomes; their probabilities are positive and sum to 1."""


def stay_ended(state: int, num_actions: int) -> list[list[Outcome]]:
    """The row of a state that no episode leaves (an end, or a wall): every action stays there and earns 0."""
    return [[Outcome(1.0, state, 0.0, True)] for _ in range(num_actions)]


def optimal_values(transitions: Transitions, gamma: float) -> ActionValues:
    """Q*, exact up to rounding, by policy iteration (Howard 1960; Sutton & Barto 2018, section 4.3).

    Each policy is evaluated by solving v = r + γPv, so nothing depends on a tolerance or on how close γ is to 1.

    Raises:
        ValueError: unless 0 ≤ gamma < 1 (at 1 a model that can avoid its ends may have no finite optimum).
    """
    if not 0 <= gamma < 1:
        raise ValueError(f"gamma must be in [0, 1), got {gamma!r}")
    states, actions = len(transitions), len(transitions[0])
    reward = np.zeros((states, actions))
    # Outcomes that terminate are left out: every value after them is 0.
    successor = np.zeros((states, actions, states))
    for state, row in enumerate(transitions):
        for action, outcomes in enumerate(row):
            for probability, next_state, gain, terminated in outcomes:
                reward[state, action] += probability * gain
                if not terminated:
                    successor[state, action, next_state] += probability
    every = np.arange(states)
    policy = np.zeros(states, dtype=np.int64)
    seen: set[bytes] = set()
    # In exact arithmetic no policy repeats before the optimum. One that repeats differs from it by rounding alone.
    while policy.tobytes() not in seen:
        seen.add(policy.tobytes())
        value = np.linalg.solve(np.eye(states) - gamma * successor[every, policy], reward[every, policy])
        q: np.ndarray = reward + gamma * successor @ value
        policy = q.argmax(axis=1)
    return q


def draw(tiles: Sequence[str], position: int) -> Picture:
    """A picture of the tiles, `CELL` pixels each, with the agent as a disc on the cell `position` (row-major)."""
    picture = np.array([[COLOURS[tile] for tile in row] for row in tiles], dtype=np.uint8)
    picture = picture.repeat(CELL, axis=0).repeat(CELL, axis=1)
    picture[::CELL] = picture[:, ::CELL] = 255
    row, column = divmod(position, len(tiles[0]))
    offset = np.arange(CELL) - CELL / 2
    disc = offset[:, None] ** 2 + offset**2 < (0.35 * CELL) ** 2
    cell = picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
    cell[disc] = AGENT_COLOUR
    return picture


def write(tiles: Sequence[str], position: int) -> str:
    """The tiles as lines of text, with "A" where the agent is."""
    width = len(tiles[0])
    text = "".join(tiles)
    text = text[:position] + "A" + text[position + 1 :]
    return "\n".join(text[start : start + width] for start in range(0, len(text), width))


def board(tiles: Sequence[str], moves: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The entry `board` of the metadata: each tile but a wall is the cell of its state, and ends have labels."""
    width, text = len(tiles[0]), "".join(tiles)
    found = {"rows": len(tiles), "columns": width, "moves": list(moves)}
    if "#" in text:
        found["cells"] = [None if tile == "#" else divmod(state, width) for state, tile in enumerate(text)]
    return {**found, "labels": {state: tile for state, tile in enumerate(text) if tile in "GPE"}}


class ModelEnv(DiscreteEnv):
    """An environment that samples a known transition model. Subclasses build the model and describe it.

    Args:
        transitions: the model; the row of a state that ends an episode is `stay_ended`.
        start: the state in which every episode starts.
        tiles: rows of equally many keys of `COLOURS`; cell i, row by row, is state i.
        render_mode: "ansi" (text), "rgb_array" (uint8 [height, width, 3]) or None.
        moves: name of each action, in their order → the direction (rows, columns) in which it means to move. None: the
            metadata declares no board.

    Raises:
        ValueError: for any other render mode.
    """

    # Gymnasium declares metadata as a plain attribute, which a ClassVar may not override.
    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012

    def __init__(
        self,
        transitions: Transitions,
        start: int,
        tiles: Sequence[str],
        render_mode: str | None,
        moves: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        modes = self.metadata["render_modes"]
        if render_mode is not None and render_mode not in modes:
            raise ValueError(f"render_mode must be None or one of {modes}, got {render_mode!r}")
        self.render_mode = render_mode
        self.observation_space = Discrete(len(transitions))
        self.action_space = Discrete(len(transitions[0]))
        self._transitions = transitions
        self._start = self._state = start
        self._tiles = tuple(tiles)
        if moves is not None:
            self.metadata = {**self.metadata, "action_names": list(moves), "board": board(tiles, list(moves.values()))}

    def transitions(self) -> Transitions:
        """The model: [state][action] → outcomes (probability, next state, reward, terminated)."""
        return self._transitions

    def q_star(self, gamma: float) -> ActionValues:
        """The optimal action values, zero in states that end an episode. Raises ValueError unless 0 ≤ gamma < 1."""
        return optimal_values(self._transitions, gamma)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Return to the start. No options are read; info is empty."""
        super().reset(seed=seed)
        self._state = self._start
        return np.int64(self._state), {}

    def step(self, action: np.int64 | int) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Sample one outcome; truncated is always false and info empty. Raises ValueError for an unknown action."""
        if not 0 <= action < len(self._transitions[0]):
            raise ValueError(f"action must be in 0…{len(self._transitions[0]) - 1}, got {action!r}")
        outcomes = self._transitions[self._state][int(action)]
        remaining = self.np_random.random()
        for outcome in outcomes:  # the last one is used if rounding leaves the sum below 1
            remaining -= outcome.probability
            if remaining < 0:
                break
        self._state = outcome.next_state
        return np.int64(self._state), outcome.reward, outcome.terminated, False, {}

    def render(self) -> str | Picture | None:
        """Text for "ansi", a picture for "rgb_array", None without a render mode."""
        if self.render_mode is None:
            return None
        return (write if self.render_mode == "ansi" else draw)(self._tiles, self._state)


def time_limited(make: Callable[[], DiscreteEnv], max_steps: int) -> DiscreteEnv:
    """A new environment, truncated after max_steps steps; 0 is no limit."""
    env = make()
    return TimeLimit(env, max_steps) if max_steps else env


def recommended(
    names: Sequence[str], *, episodes: int, final: float, horizon: int, env_steps: int, gamma: float = 0.9
) -> Mapping[str, Any]:
    """Values for a tiny environment: `tabular` learns for `episodes` while ε falls; other agents run `env_steps`.

    names: the plugins of the composition. final: the last ε, reached linearly from 1 after `horizon` episodes.
    """
    if "tabular" not in names:
        return {"run.steps": env_steps, "returns.gamma": gamma}
    return {
        "run.episodes": episodes,
        "exploration.shape": "linear",
        "exploration.start": 1.0,
        "exploration.final": final,
        "exploration.unit": "episodes",
        "exploration.horizon": horizon,
        "returns.gamma": gamma,
    }
