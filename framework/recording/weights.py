"""Saves the weights of a run: the best by two measures, and the last."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from framework.events import Callback, Episode, EvaluationResult
from framework.recording.files import replacing
from framework.recording.rows import to_json
from framework.recording.states import load_state, save_state
from framework.recording.statistics import WINDOW, EpisodeStatistics
from framework.types import Counters, Policy, State, Step

__all__ = ["BestWeights", "load_state", "save_state"]


SECONDS = 1.0
"""Best weights are written at most once in this time."""


class _Rank(NamedTuple):
    """How good weights are. A confirmation outranks any evaluation, and a whole one those that ended early."""

    confirmed: bool
    value: float
    whole: bool = True

    def above(self, other: _Rank) -> bool:
        """Whether these weights are better. NaN is never above anything."""
        own, others = (self.confirmed, self.whole, self.value), (other.confirmed, other.whole, other.value)
        return not math.isnan(self.value) and own > others


@dataclass(frozen=True)
class _Saved:
    """Weights to be written, and what the JSON file beside them says."""

    weights: State
    facts: Mapping[str, Any]


class BestWeights(Callback):
    """Saves the policy's state whenever it is better than before, and at the end.

    * `best/mean_100.safetensors`: the best running mean return of the last 100 training episodes. It is written only
      after 100 episodes, because earlier a single lucky episode would win.
    * `best/evaluation.safetensors`: the best mean return of an evaluation. Weights whose confirmation reached
      `run.until` outrank all others, with the confirmation's mean as their value. Weights whose confirmation failed are
      never the best: their first, short evaluation was lucky. An evaluation that ended early (evaluation.first) never
      outranks a whole one.
    * `last.safetensors`: the weights at the end of the run.

    If two values are equal, the earlier weights are kept. A JSON file beside each says when they were saved: `value`
    (the measure; for the last weights the running mean), `env_steps`, `updates`, `episode`, and for evaluations
    `episodes` and `confirmed`.

    Saving takes longer than a step of a small environment. So better weights wait in memory for up to a second before
    they are written. A checkpoint and the end of the run write them at once. If the process is killed before, the run
    continues from a checkpoint before these weights, and finds them again.
    """

    def __init__(
        self,
        folder: Path,
        policy: Policy,
        statistics: EpisodeStatistics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        folder: the run folder, which must exist.
        policy: its state is saved.
        statistics: shared with the other callbacks.
        clock: seconds.
        """
        self._folder = folder
        self._policy = policy
        self._statistics = statistics
        self._clock = clock
        self._best: dict[str, _Rank] = {}
        self._waiting: dict[str, _Saved] = {}
        self._written = -math.inf

    def on_step(self, step: Step, counters: Counters) -> None:
        if self._waiting and self._clock() - self._written >= SECONDS:
            self._write_waiting()

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        mean = self._statistics.of(episode, counters).mean
        if episode.number >= WINDOW:
            self._save_if_better("mean_100", _Rank(False, mean), _facts(mean, episode.number, counters))

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        confirmed = bool(result.confirmed)
        if result.confirmed is False or (confirmed and not result.confirmation):
            return  # refuted, or the confirmation follows
        facts = _facts(result.mean, counters.episodes, counters)
        more = {"episodes": len(result.returns), "confirmed": confirmed}
        rank = _Rank(confirmed, result.mean, not result.abandoned)
        self._save_if_better("evaluation", rank, {**facts, **more}, result.weights)

    def on_end(self, counters: Counters) -> None:
        self._write_waiting()
        facts = _facts(self._statistics.mean, counters.episodes, counters)
        self._write(self._folder / "last", _Saved(self._policy.state_dict(), facts))

    def state_dict(self) -> State:
        """The best values so far. What waits is written first, so a checkpoint never knows of weights that are lost."""
        self._write_waiting()
        return {measure: rank._asdict() for measure, rank in self._best.items()}

    def load_state_dict(self, state: State) -> None:
        self._best = {
            measure: _Rank(bool(rank["confirmed"]), float(rank["value"]), bool(rank.get("whole", True)))
            for measure, rank in state.items()
        }

    def _save_if_better(
        self, measure: str, rank: _Rank, facts: Mapping[str, Any], weights: State | None = None
    ) -> None:
        if not rank.above(self._best.get(measure, _Rank(False, -math.inf, False))):
            return
        self._best[measure] = rank
        self._waiting[measure] = _Saved(self._policy.state_dict() if weights is None else weights, facts)
        if self._clock() - self._written >= SECONDS:
            self._write_waiting()

    def _write_waiting(self) -> None:
        if self._waiting:
            (self._folder / "best").mkdir(exist_ok=True)
        for measure in list(self._waiting):
            self._write(self._folder / "best" / measure, self._waiting.pop(measure))
            self._written = self._clock()

    def _write(self, stem: Path, saved: _Saved) -> None:
        save_state(stem.with_suffix(".safetensors"), saved.weights)
        with replacing(stem.with_suffix(".json")) as temporary:
            temporary.write_text(to_json(saved.facts) + "\n", encoding="ascii")


def _facts(value: float | None, episode: int, counters: Counters) -> dict[str, Any]:
    return {"value": value, "env_steps": counters.env_steps, "updates": counters.updates, "episode": episode}
