"""The ends of a run: whether it has any, and the count behind `run.patience`."""

from __future__ import annotations

import math

import numpy as np

from framework.assembly.parts import Parts
from framework.errors import UsageError
from framework.events import EvaluationResult
from framework.options import EvaluationOptions, RunOptions
from framework.types import Counters, State


def check_ends(parts: Parts) -> None:
    """Refuse a run that would never end, and what has no effect without one of its ends.

    Raises:
        UsageError: if no end is set, `run.until` or `run.patience` is set without evaluations, or the user set
            `evaluation.first` without `run.until`.
    """
    options = parts.config[RunOptions]
    ends = (options.steps, options.episodes, options.until, options.hours, options.patience or None)
    if all(end is None for end in ends):
        raise UsageError("the run has no end: set one with --steps, --episodes, --until, --patience or --hours")
    evaluation = parts.config[EvaluationOptions]
    if evaluation.first and options.until is None and parts.config.sources.get("evaluation.first") == "--set":
        raise UsageError(
            f"evaluation.first = {evaluation.first} (from --set) has no effect without a goal: set one with --until, "
            "or drop it"
        )
    if evaluation.every:
        return
    for name, value in (("run.until", options.until), ("run.patience", options.patience or None)):
        if value is not None:
            source = parts.config.sources.get(name, "default")
            raise UsageError(
                f"{name} = {value} (from {source}) needs evaluations: set evaluation.every, for example with "
                f"--eval-every 10000, or --set {name}=none"
            )


class Patience:
    """Counts the evaluations in a row that did not improve the best mean return."""

    def __init__(self, limit: int | None) -> None:
        """
        Args:
            limit: the run ends after so many; 0 or None: never.
        """
        self._limit = limit
        self._best = -math.inf
        self._best_at = 0
        self._without_better = 0

    def count(self, result: EvaluationResult, env_steps: int) -> None:
        """Count an evaluation, but not its confirmation. One whose confirmation failed is no improvement."""
        if result.mean > self._best and result.confirmed is not False:  # not for NaN, either
            self._best, self._best_at, self._without_better = result.mean, env_steps, 0
        else:
            self._without_better += 1

    @property
    def over(self) -> bool:
        """Whether the run ends."""
        return bool(self._limit) and self._without_better >= (self._limit or 0)

    @property
    def reason(self) -> str:
        """Why the run ends, in words."""
        best = f"; best mean {self._best:.2f} at step {self._best_at:,}" if self._best_at else ""
        return f"no improvement in {self._without_better:,} evaluations{best}"

    def state_dict(self) -> State:
        return {"best": np.array(self._best), "best_at": self._best_at, "without_better": self._without_better}

    def load_state_dict(self, state: State) -> None:
        self._best = float(state["best"])
        self._best_at, self._without_better = int(state["best_at"]), int(state["without_better"])


def decided_end(options: RunOptions, last: EvaluationResult | None, patience: Patience) -> str:
    """The end that the evaluations so far have decided, in words. Empty if there is none; see `reached_end`."""
    if options.until is not None and last is not None and last.mean >= options.until:
        return f"an evaluation reached {options.until:g}"
    return patience.reason if patience.over else ""


def reached_end(options: RunOptions, counters: Counters, last: EvaluationResult | None, patience: Patience) -> str:
    """The end that a run has reached, in words: "5,000 steps". Empty if it has reached none.

    Args:
        last: the last evaluation, or its confirmation.
    """
    decided = decided_end(options, last, patience)
    if decided:
        return decided
    if options.steps is not None and counters.env_steps >= options.steps:
        return f"{options.steps:,} steps"
    if options.episodes is not None and counters.episodes >= options.episodes:
        return f"{options.episodes:,} episodes"
    return ""
