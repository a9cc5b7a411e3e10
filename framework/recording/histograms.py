"""Histograms for TensorBoard: the returns of each evaluation, and the evaluated weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from framework.events import Callback, EvaluationResult, EventLog
from framework.types import Counters, Policy


class Histograms(Callback):
    """Adds `evaluation/returns`, and `weights/NAME` for each array of floats in the policy's state."""

    def __init__(self, events: EventLog, policy: Policy) -> None:
        self._events = events
        self._policy = policy

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        arrays = {"evaluation/returns": np.asarray(result.returns)}
        if not result.confirmation:
            state = self._policy.state_dict() if result.weights is None else result.weights
            arrays |= {f"weights/{name}": array for name, array in _floats(state)}
        self._events.histograms(counters.env_steps, arrays)


def _floats(state: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of at least two floats in a nested state, by their names: "online/torso.0.weight"."""
    for name, value in state.items():
        if isinstance(value, Mapping):
            yield from _floats(value, f"{before}{name}/")
        elif isinstance(value, np.ndarray) and value.size > 1 and np.issubdtype(value.dtype, np.floating):
            yield f"{before}{name}", value
