"""Records the actions of the running episodes, and plays them again to restore the environments.

An episode is a function of how it began and of its actions, so these *are* the environments' state: nothing has to
clone an emulator or pickle an environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv
from jaxtyping import Bool, Float64, Int64, Shaped

from framework.environments.vector import VectorEdge
from framework.errors import NotRepeated
from framework.spaces import legal_actions
from framework.types import State


class History:
    """The actions of N environments since the start of the oldest running episode, one row for each step."""

    def __init__(self, num_envs: int) -> None:
        self._actions = np.zeros((64, num_envs), np.int64)
        self._steps = 0
        self._start = np.zeros(num_envs, np.int64)
        self._returns = np.zeros(num_envs)

    def add(
        self, actions: Int64[np.ndarray, " N"], rewards: Float64[np.ndarray, " N"], ended: Bool[np.ndarray, " N"]
    ) -> None:
        """Add a step of all environments. `ended` marks those whose next episode begins after it."""
        if self._steps == len(self._actions):
            self._make_room()
        self._actions[self._steps] = actions
        self._steps += 1
        self._returns += rewards
        if ended.any():
            self._start[ended] = self._steps
            self._returns[ended] = 0.0

    def state_dict(self) -> State:
        """`actions` int64 [T, N]; `start` int64 [N], the row of each episode's first action; raw `returns` so far."""
        oldest = int(self._start.min())
        return {
            "actions": self._actions[oldest : self._steps].copy(),
            "start": self._start - oldest,
            "returns": self._returns.copy(),
        }

    def load_state_dict(self, state: State) -> None:
        if not ((state["start"] >= 0) & (state["start"] <= len(state["actions"]))).all():
            raise ValueError("the state is damaged: an episode starts outside of the recorded actions")
        self._actions = np.array(state["actions"], np.int64)
        self._steps = len(self._actions)
        self._start[:] = state["start"]
        self._returns[:] = state["returns"]

    def _make_room(self) -> None:
        """Drop the rows from before all running episodes. At least two thirds of the new array are free."""
        oldest = int(self._start.min())
        kept = self._actions[oldest : self._steps]
        room = max(64, len(self._actions), 3 * len(kept))
        self._actions = np.zeros((room, kept.shape[1]), np.int64)
        self._actions[: len(kept)] = kept
        self._steps -= oldest
        self._start -= oldest


@dataclass(frozen=True)
class Opening:
    """How each of N environments begins its running episode, wherever it is.

    seeds: what its last reset with a seed was given.
    since: int64 [N], how many resets without a seed have followed.
    """

    seeds: Sequence[int]
    since: Int64[np.ndarray, " N"]

    def begin(self, edge: VectorEdge, which: Bool[np.ndarray, " N"] | None = None) -> Shaped[np.ndarray, "N *frame"]:
        """Begin the episodes of the environments `which` (None: of all), and return the frames of all environments."""
        frames = edge.reset(self.seeds, which)
        left = self.since.copy() if which is None else np.where(which, self.since, 0)
        while left.any():
            frames = edge.reset([None] * len(left), left > 0)
            left = np.maximum(left - 1, 0)
        return frames


def play_again(edge: VectorEdge, opening: Opening, history: State) -> Shaped[np.ndarray, "N *frame"]:
    """Play the recorded actions again. Return the frames that the environments show at the end of the history.

    All environments play every row, because a vector environment steps all of them at once. An environment whose
    running episode began at a later row plays other episodes, which do not matter, up to that row. There masked resets
    start the running episode. So all environments reach the end together.

    Args:
        edge: of environments with `AutoresetMode.DISABLED`.
        opening: how the running episodes begin.
        history: what `History.state_dict` returned.

    Raises:
        NotRepeated: if the environments do not repeat their episodes.
    """
    actions, start = np.asarray(history["actions"]), np.asarray(history["start"])
    frames = opening.begin(edge)
    returns = np.zeros(len(start))
    ended = np.zeros(len(start), np.bool_)
    for row in range(len(actions) + 1):
        begins = (start == row) & (row > 0)
        if (ended & ~begins & (start < row)).any():
            raise _not_repeated(edge.env, "a running episode ended early")
        if (begins | ended).any():
            frames = opening.begin(edge, begins | ended)
            returns[begins] = 0.0
        if row < len(actions):
            edge.send(_allowed(actions[row], frames))
            frames, rewards, terminated, truncated, _ = edge.receive()
            ended = terminated | truncated
            returns += rewards
    if not np.array_equal(returns, history["returns"], equal_nan=True):
        raise _not_repeated(edge.env, f"the rewards add up to {returns.tolist()}, not to {history['returns'].tolist()}")
    return frames


def _allowed(actions: Int64[np.ndarray, " N"], frames: Shaped[np.ndarray, "N *frame"]) -> Int64[np.ndarray, " N"]:
    """The actions, each replaced by an allowed one if the mask forbids it, as it may before the running episode."""
    legal = legal_actions(frames)
    if legal is None:
        return actions
    return np.where(legal[np.arange(len(actions)), actions], actions, legal.argmax(axis=1))


def _not_repeated(env: VectorEnv[Any, Any, Any], what: str) -> NotRepeated:
    single = env.envs[0].unwrapped if isinstance(env, gymnasium.vector.SyncVectorEnv) else env
    return NotRepeated(
        f"{type(single).__name__} does not repeat an episode from its seed and actions ({what}), so the run cannot "
        "continue exactly: give its vector environment a state_dict() and a load_state_dict(), or go on with new "
        "episodes (--force)"
    )
