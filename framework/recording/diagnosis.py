"""Says when learning looks broken, and what to look at. Each warning comes at most once in a run."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

from framework.events import Episode
from framework.types import Counters, Exploration, State, Step

Row: TypeAlias = Mapping[str, float | None]
"""The numbers of a learning row."""

IN_A_ROW = 3
"""So many learning rows in a row must show a fault of the values or of the loss."""

ROWS_OF_ONE_ACTION = 10
"""So many must have the same best action everywhere."""

MARGIN = 2.0
"""Values count as impossible beyond this many times the largest possible return: noise and bonuses need room."""

GROWTH = 10.0
"""The loss of a fault is this many times the smallest above 0 so far: losses that are no squares have other units."""

STILL = 1e-5
"""ε has not moved if it changed by a smaller share than this."""

FIRST_EPISODES = 20
"""The episodes with which later ones are compared."""

LAST_EPISODES = 100
"""The later ones."""

LONGER = 0.05
"""Episodes that become this much longer or shorter show that the agent learns something."""

MOST_WAITING = 1_000
"""Steps whose rewards are kept before they are looked at."""


class Diagnosis:
    """Looks at rewards, episodes and learning rows for four faults.

    * Action values beyond what the rewards allow, which do not fall: |Q| > 2 max|r| / (1 − γ), for rewards as the
      learner sees them.
    * A loss larger than the square of the largest possible error, and larger than before.
    * ε at its end, and 100 episodes after it neither better than the first 20, nor shorter or longer.
    * One best action everywhere, and no such change either.
    """

    def __init__(
        self, exploration: Exploration, gamma: float, tell: Callable[[str], None], *, untrained: bool = True
    ) -> None:
        """Args:
        exploration: its ε is read, if it reports one.
        gamma: the discount. With 1, no return is impossible.
        tell: shows a warning to the user.
        untrained: whether the first episodes are those of an untrained agent, with which later ones can be compared.
        """
        self._compares = untrained
        self._exploration, self._gamma, self._tell = exploration, gamma, tell
        self._rewards: list[Float64[np.ndarray, " M"]] = []
        self._largest = 0.0
        self._smallest_loss = math.inf
        self._value = 0.0
        """The largest action value of the last row."""
        self._first: list[tuple[float, int]] = []
        self._last: deque[tuple[float, int]] = deque(maxlen=LAST_EPISODES)
        self._epsilon = math.inf
        """ε when it last moved."""
        self._settled = 0
        """Episodes since then."""
        self._counts = {"values": 0, "loss": 0, "one_action": 0}
        """Fault → the number of rows in a row that showed it."""
        self._told: set[str] = set()

    def step(self, step: Step) -> None:
        """Look at the rewards of a step."""
        self._rewards.append(step.reward)
        if len(self._rewards) >= MOST_WAITING:
            self._look_at_rewards()

    def episode(self, episode: Episode, counters: Counters) -> None:
        """Look at a finished episode."""
        seen = episode.raw_return, episode.length
        if len(self._first) < FIRST_EPISODES:
            self._first.append(seen)
        else:
            self._last.append(seen)
        epsilon = self._exploration.metrics(counters).get("epsilon", math.inf)
        if not abs(epsilon - self._epsilon) <= STILL * epsilon:  # also from infinity
            self._epsilon, self._settled = float(epsilon), 0
        self._settled += 1

    def examine(self, row: Row) -> list[str]:
        """Return the new warnings after a learning row, and show them."""
        self._look_at_rewards()
        found = {name: text for name, text in self._faults(row) if name not in self._told}
        self._told |= found.keys()
        for text in found.values():
            self._tell(f"warning: {text}")
        return list(found.values())

    def forget_the_beginning(self) -> None:
        """The next episodes are not those of an untrained agent: compare no later ones with them."""
        self._compares = False

    def state_dict(self) -> State:
        """Return all that it has seen and told."""
        self._look_at_rewards()
        return {
            "largest": np.array(self._largest),
            "smallest_loss": np.array(self._smallest_loss),
            "value": np.array(self._value),
            "compares": self._compares,
            "first": np.array(self._first, np.float64).reshape(-1, 2),
            "last": np.array(self._last, np.float64).reshape(-1, 2),
            "epsilon": np.array(self._epsilon),
            "settled": self._settled,
            "counts": dict(self._counts),
            "told": sorted(self._told),
        }

    def load_state_dict(self, state: State) -> None:
        """Load what `state_dict` returned."""
        self._rewards.clear()
        self._largest, self._smallest_loss = float(state["largest"]), float(state["smallest_loss"])
        self._value, self._compares = float(state["value"]), bool(state["compares"])
        pairs = {name: [(total, int(length)) for total, length in state[name].tolist()] for name in ("first", "last")}
        self._first, self._last = pairs["first"], deque(pairs["last"], maxlen=LAST_EPISODES)
        self._epsilon, self._settled = float(state["epsilon"]), int(state["settled"])
        self._counts, self._told = dict(state["counts"]), set(state["told"])

    def _look_at_rewards(self) -> None:
        if self._rewards:
            self._largest = max(self._largest, float(np.abs(np.concatenate(self._rewards)).max()))
            self._rewards.clear()

    def _faults(self, row: Row) -> Iterator[tuple[str, str]]:
        possible = self._largest / (1 - self._gamma) if self._gamma < 1 else math.inf
        value = max(abs(row.get("value_max") or 0.0), abs(row.get("value_mean") or 0.0))
        falls, self._value = value < self._value, value
        if self._lasts("values", IN_A_ROW, 0 < MARGIN * possible < value and not falls):
            yield (
                "values",
                f"action values reach {value:.3g}, but no return exceeds {possible:.3g} (rewards up to "
                f"{self._largest:.3g}, γ = {self._gamma:g}): the values diverge. Look at the learning rate, at how "
                "often the target follows, and at value_max in metrics.jsonl",
            )
        loss = row.get("loss") or 0.0
        grown = loss > GROWTH * self._smallest_loss
        if loss > 0:
            self._smallest_loss = min(self._smallest_loss, loss)
        largest = 2 * possible  # the error of a value at one end of the possible returns, where the other end is right
        if self._lasts("loss", IN_A_ROW, grown and 0 < largest**2 < loss):
            yield (
                "loss",
                f"the loss is {loss:.3g}, more than the square of the largest possible error ({largest:.3g}), and "
                "grew: learning diverges. Look at the learning rate, at the limit of the gradient's norm, and at the "
                "size of the rewards",
            )
        changed = not self._compares or len(self._last) < LAST_EPISODES or self._episodes_changed()
        if not changed and self._settled > LAST_EPISODES and math.isfinite(self._epsilon):
            yield (
                "no_progress",
                f"ε is at its end ({self._epsilon:.3g}), and the last {LAST_EPISODES} episodes are no better than the "
                f"first {FIRST_EPISODES}. Look at whether the agent ever sees a reward (a longer exploration), and at "
                "td_error and value_mean in metrics.jsonl: do they move?",
            )
        if self._lasts("one_action", ROWS_OF_ONE_ACTION, row.get("greedy_share") == 1.0 and not changed):
            yield (
                "one_action",
                "the agent prefers one action in every state, and its episodes are no better than the first ones. Look "
                "at whether observations reach the network in a sensible scale (--plugins …,normalise), and at the "
                "learning rate",
            )

    def _lasts(self, fault: str, rows: int, seen: bool) -> bool:
        """Whether the last so many rows all showed a fault, this one included."""
        self._counts[fault] = self._counts[fault] + 1 if seen else 0
        return self._counts[fault] >= rows

    def _episodes_changed(self) -> bool:
        """Whether the last episodes are better than the first by more than the standard error, longer or shorter."""
        first, last = np.array(self._first), np.array(self._last)
        error = np.sqrt(first[:, 0].var() / len(first) + last[:, 0].var() / len(last))
        better = last[:, 0].mean() - first[:, 0].mean() > error
        lengths = last[:, 1].mean() / max(first[:, 1].mean(), 1.0)
        return bool(better or not 1 - LONGER < lengths < 1 + LONGER)
