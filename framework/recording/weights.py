"""Saves the weights of a run: the best by two measures, and the last."""

from __future__ import annotations

import math
from pathlib import Path

from framework.events import Callback, Episode, EvaluationResult
from framework.recording.files import replacing
from framework.recording.rows import to_json
from framework.recording.states import load_state, save_state
from framework.recording.statistics import WINDOW, EpisodeStatistics
from framework.types import Counters, Policy, State

__all__ = ["BestWeights", "load_state", "save_state"]


class BestWeights(Callback):
    """Saves the policy's state whenever it is the best so far, and at the end.

    * `best/mean_100.safetensors`: the best running mean return of the last 100 training episodes. It is written only
      after 100 episodes, because earlier a single lucky episode would win.
    * `best/evaluation.safetensors`: the best mean return of an evaluation.
    * `last.safetensors`: the weights at the end of the run.

    If two values are equal, the later weights are kept. A JSON file beside each says when they were saved: `value` (the
    measure; for the last weights the running mean), `env_steps`, `updates` and `episode`.
    """

    def __init__(self, folder: Path, policy: Policy, statistics: EpisodeStatistics) -> None:
        """Args:
        folder: the run folder, which must exist.
        policy: its state is saved.
        statistics: shared with the other callbacks.
        """
        self._folder = folder
        self._policy = policy
        self._statistics = statistics
        self._best: dict[str, float] = {}

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        mean = self._statistics.of(episode, counters).mean
        if episode.number >= WINDOW:
            self._offer("mean_100", mean, episode.number, counters)

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        self._offer("evaluation", result.mean, counters.episodes, counters)

    def on_end(self, counters: Counters) -> None:
        self._save(self._folder / "last", self._statistics.mean, counters.episodes, counters)

    def state_dict(self) -> State:
        """The best values so far."""
        return dict(self._best)

    def load_state_dict(self, state: State) -> None:
        self._best = {measure: float(value) for measure, value in state.items()}

    def _offer(self, measure: str, value: float, episode: int, counters: Counters) -> None:
        if value >= self._best.get(measure, -math.inf):
            (self._folder / "best").mkdir(exist_ok=True)
            self._save(self._folder / "best" / measure, value, episode, counters)
            self._best[measure] = value

    def _save(self, stem: Path, value: float | None, episode: int, counters: Counters) -> None:
        save_state(stem.with_suffix(".safetensors"), self._policy.state_dict())
        facts = {"value": value, "env_steps": counters.env_steps, "updates": counters.updates, "episode": episode}
        with replacing(stem.with_suffix(".json")) as temporary:
            temporary.write_text(to_json(facts) + "\n", encoding="ascii")
