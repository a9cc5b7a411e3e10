"""A scripted run: it calls callbacks as the loop does, with known episodes, updates and evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from framework.events import Callback, Episode, EvaluationResult
from framework.recording import EpisodeStatistics
from framework.types import Counters, TDErrors


class HalvingExploration:
    """ε = 1 / (1 + episodes), or no ε at all."""

    def __init__(self, reports: bool = True) -> None:
        self.reports = reports

    def metrics(self, counters: Counters) -> Mapping[str, float]:
        return {"epsilon": 1 / (1 + counters.episodes)} if self.reports else {}


class FakePolicy:
    """A policy whose weights are its version."""

    def __init__(self) -> None:
        self.version = 0

    def state_dict(self) -> dict[str, Any]:
        return {"weights": np.full((2, 3), self.version, np.float32), "version": self.version}


@dataclass
class ScriptedRun:
    """Calls callbacks. Time passes only where the script says so."""

    exploration: HalvingExploration = field(default_factory=HalvingExploration)
    counters: Counters = field(default_factory=Counters)
    policy: FakePolicy = field(default_factory=FakePolicy)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.statistics = EpisodeStatistics(self.exploration)
        self.callbacks: Sequence[Callback] = ()

    def clock(self) -> float:
        return self.now

    def start(self, *callbacks: Callback) -> None:
        self.callbacks = callbacks
        for callback in callbacks:
            callback.on_start(self.counters)

    def episode(self, raw_return: float, length: int = 10) -> None:
        """Make `length` steps of a second each, then end the episode."""
        self.now += length
        self.counters.env_steps += length
        self.counters.frames += 4 * length
        self.counters.episodes += 1
        self.policy.version += 1
        for callback in self.callbacks:
            callback.on_episode(Episode(self.counters.episodes, 0, raw_return, length), self.counters)

    def update(self, *loss: float) -> None:
        self.counters.updates += 1
        errors = TDErrors(np.array(loss, np.float32), np.array(loss), None)
        for callback in self.callbacks:
            callback.on_update(None, errors, self.counters)  # type: ignore[arg-type]

    def begin_evaluation(self) -> None:
        for callback in self.callbacks:
            callback.on_evaluation_start(self.counters)

    def evaluation(
        self, *returns: float, seconds: float = 5.0, distinct: int = 1, confirmation: float | None = None
    ) -> None:
        """Make an evaluation of `seconds`; with `confirmation`, make another of so many seconds that confirms it."""
        self.begin_evaluation()
        took = [seconds] if confirmation is None else [seconds, confirmation]
        self.now += sum(took)
        for each in took:
            result = EvaluationResult(returns, (7,) * len(returns), distinct, 0.001, each)
            for callback in self.callbacks:
                callback.on_evaluation(result, self.counters)

    def result(self, returns: tuple[float, ...], **more: Any) -> None:
        """Report an evaluation of 5 seconds with these returns and these fields of its result."""
        self.now += 5.0
        result = EvaluationResult(returns, (7,) * len(returns), 1, 0.001, 5.0, **more)
        for callback in self.callbacks:
            callback.on_evaluation(result, self.counters)

    def end(self) -> None:
        for callback in self.callbacks:
            callback.on_end(self.counters)


@pytest.fixture
def scripted() -> Callable[..., ScriptedRun]:
    """Makes a run; `scripted(reports=False)` explores without an ε."""
    return lambda reports=True: ScriptedRun(HalvingExploration(reports))
