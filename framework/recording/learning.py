"""What a learning row says beside its loss: action values, errors, actions taken, and what parts measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from framework.spaces import only_legal
from framework.types import Batch, Measured, State, Step, TDErrors

if TYPE_CHECKING:
    from framework.assembly.parts import Parts

TAKEN = "taken/"
"""The beginning of the keys that say how often an action was taken."""

MOST_ACTIONS = 18
"""With more actions than this (Atari's largest set), rows do not say how often each one was taken."""

MEASURED = ("stream", "collector", "buffer", "sampler", "loss", "optimizer", "target_sync")
"""The parts that may measure numbers of their own."""

FEWEST_ROWS = 8
"""In a batch of fewer rows, the share of the most frequent best action says little, and of one row it is always 1."""

MOST_WAITING = 1_000
"""Steps whose actions are kept before they are counted."""


class Learning:
    """The numbers of a learning row, from the last update before it and from the steps since the row before.

    They are computed for a row, once in 500 updates, and for a checkpoint. No part draws a random number for them.
    """

    def __init__(self, parts: Parts) -> None:
        self._policy, self._spaces = parts.policy, parts.spaces
        named = {name: getattr(parts, name) for name in MEASURED}
        self._parts = {name: part for name, part in named.items() if isinstance(part, Measured)}
        self._waiting: list[Int64[np.ndarray, " M"]] = []
        self._taken = np.zeros(parts.spaces.num_actions, np.int64)
        self._last: tuple[Shaped[np.ndarray, "B *obs"], Float64[np.ndarray, " B"]] | None = None
        """Observations and priorities of the last update."""
        self._restored: dict[str, float] = {}
        """The numbers of the last update before a checkpoint, until there is another update."""

    def step(self, step: Step) -> None:
        """Count the actions of a step."""
        self._waiting.append(step.action)
        if len(self._waiting) >= MOST_WAITING:
            self._count()

    def update(self, batch: Batch, errors: TDErrors) -> None:
        """Remember the update. Its numbers are computed only if a row follows before the next one."""
        self._last = batch.obs, errors.priority

    def numbers(self) -> dict[str, float]:
        """Return the numbers of a row. The next row counts actions anew."""
        return {**self._of_update(), **self._shares()}

    def state_dict(self) -> State:
        """Return the numbers of the last update, and the actions that no row has counted."""
        self._count()
        return {"taken": self._taken.copy(), "numbers": self._of_update()}

    def load_state_dict(self, state: State) -> None:
        """Load what `state_dict` returned."""
        self._waiting.clear()
        self._taken[:] = state["taken"]
        self._last, self._restored = None, dict(state["numbers"])

    def _of_update(self) -> dict[str, float]:
        if self._last is None:
            return self._restored
        obs, priority = self._last
        values = self._policy.action_values(obs, explore=False)
        allowed = only_legal(values, obs)
        best = allowed.max(axis=1)
        found = {
            "td_error": float(priority.mean()),
            "value_mean": float(best.mean()),
            "value_max": float(best.max()),
        }
        if len(best) >= FEWEST_ROWS:
            found["greedy_share"] = float(np.bincount(allowed.argmax(axis=1)).max() / len(best))
        measured: dict[str, Mapping[str, Any]] = {name: part.measures() for name, part in self._parts.items()}
        return found | {
            f"{part}/{name}": float(number) for part, given in measured.items() for name, number in given.items()
        }

    def _shares(self) -> dict[str, float]:
        self._count()
        total, taken = int(self._taken.sum()), self._taken.tolist()
        self._taken[:] = 0
        if not total or len(taken) > MOST_ACTIONS:
            return {}
        return {f"{TAKEN}{self._spaces.name_of(action)}": count / total for action, count in enumerate(taken)}

    def _count(self) -> None:
        if self._waiting:
            self._taken += np.bincount(np.concatenate(self._waiting), minlength=len(self._taken))
            self._waiting.clear()
