"""The events of a run, from its start to its end, and what callbacks may write to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from framework.types import Batch, Counters, State, Step, TDErrors


class Callback:
    """Receives the events of a run. Override the methods that you need; the others cost nothing."""

    def on_start(self, counters: Counters) -> None:
        """Called before the first step."""

    def on_step(self, step: Step, counters: Counters) -> None:
        """Called after each step of the environments. `counters` include the step."""

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        """Called after each gradient update. `counters` include the update."""

    def on_episode(self, episode: Episode, counters: Counters) -> None:
        """Called after each training episode."""

    def on_evaluation_start(self, counters: Counters) -> None:
        """Called once when training stops for a periodic evaluation and the confirmation that may follow it."""

    def on_evaluation_progress(self, progress: EvaluationProgress, counters: Counters) -> None:
        """Called about once a second while training waits for an evaluation."""

    def on_evaluation(self, result: EvaluationResult, counters: Counters) -> None:
        """Called after each periodic evaluation. A confirmation has a result of its own: it is the second call.

        `counters` are those with which the evaluated weights were reached. With evaluation.lag, training is further on.
        """

    def on_end(self, counters: Counters) -> None:
        """Called once, however the run ends."""


@dataclass(frozen=True)
class Episode:
    """A finished episode: its number in the run (from 1), raw undiscounted return, and length in environment steps.

    Where a game has lives, this is the whole game, and not what the learner learns from one life.
    """

    number: int
    env_id: int
    raw_return: float
    length: int
    info: Mapping[str, float | None] = field(default_factory=dict)
    """Metric of record.info → its number; None if the episode gave none."""


@dataclass(frozen=True)
class EvaluationProgress:
    """How far an evaluation is for which training waits."""

    finished: int
    """Number of episodes that have ended."""
    episodes: int
    """Number of episodes in all."""
    confirmation: bool
    """Whether it is the confirmation of an evaluation that reached `run.until`."""

    def describe(self) -> str:
        """What training waits for, in words: "the confirmation, 3 of 100 episodes"."""
        kind = "the confirmation" if self.confirmation else "an evaluation"
        return f"{kind}, {self.finished} of {self.episodes} episodes"


@dataclass(frozen=True)
class EvaluationResult:
    """Raw returns and lengths of the episodes of an evaluation.

    Each evaluation environment plays a fixed number of episodes. These numbers differ by at most one.
    """

    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    distinct: int
    """Number of different episodes among them, compared by actions, rewards and length."""
    epsilon: float
    seconds: float
    unfinished: int = 0
    """Number of episodes that were cut off at `evaluation.max_steps`, or not played because of that."""
    not_played: int = 0
    """Number of unfinished episodes that have no return: an environment that resets itself was stuck before."""
    abandoned: bool = False
    """Whether it ended after evaluation.first episodes, because the goal was out of reach: see the option."""
    confirmation: bool = False
    """Whether this evaluation is the one with fresh episodes that decides whether `run.until` was reached."""
    confirmed: bool | None = None
    """Whether the confirmation reached `run.until`; None if there was none. Both results of the pair have it."""
    info: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    """Metric of record.info → its number in each episode; None where an episode gave none."""
    human_normalised: float | None = None
    """The mean on a scale on which a random agent has 0 and a human 1, if the environment declares their scores."""
    weights: State | None = field(default=None, compare=False, repr=False)
    """The policy's state that was evaluated; None: the state that the policy has now."""

    @property
    def mean(self) -> float:
        """The mean of the returns."""
        return float(np.mean(self.returns))

    @property
    def deviation(self) -> float:
        """Their population standard deviation."""
        return float(np.std(self.returns))

    @property
    def info_means(self) -> dict[str, float | None]:
        """Metric of record.info → its mean over the episodes that have a number; None if none has."""
        numbers = {name: [number for number in given if number is not None] for name, given in self.info.items()}
        return {name: float(np.mean(given)) if given else None for name, given in numbers.items()}

    def summary(self) -> dict[str, float | None]:
        """Mean, standard deviation, extremes and number of different episodes.

        The human-normalised mean if it is known, and how many episodes were unfinished if any. The means of the metrics
        of record.info are called "info/<metric>".
        """
        found: dict[str, float | None] = {
            "mean": self.mean,
            "deviation": self.deviation,
            "min": float(min(self.returns)),
            "max": float(max(self.returns)),
            "distinct": self.distinct,
            **{f"info/{name}": mean for name, mean in self.info_means.items()},
        }
        if self.human_normalised is not None:
            found["human_normalised"] = self.human_normalised
        return {**found, "unfinished": self.unfinished} if self.unfinished else found

    def describe(self) -> str:
        """The result in words: "mean 2.00 ± 0.00 over 10 episodes (4 different)" and more numbers where they are known.

        These are the human-normalised mean, and the means of the metrics of record.info: "| is_success 0.70".
        Episodes are different if their actions or rewards are: a game without chance may be played again and again.
        """
        count = len(self.returns)
        cut = f"; {self.unfinished - self.not_played} cut off at evaluation.max_steps" if self.unfinished else ""
        cut += f", {self.not_played} more not played" if self.not_played else ""
        cut += "; the goal is out of reach" if self.abandoned else ""
        human = "" if self.human_normalised is None else f", human-normalised {self.human_normalised:.2f}"
        means = [f" | {name} {'–' if mean is None else format(mean, '.2f')}" for name, mean in self.info_means.items()]
        return (
            f"mean {self.mean:.2f} ± {self.deviation:.2f} over {count} episode{'' if count == 1 else 's'} "
            f"({self.distinct} different{cut}){human}{''.join(means)}"
        )


class EventLog(Protocol):
    """What a recorded run shows in TensorBoard. Callbacks may add to it while the run goes on: `RunInfo.events`."""

    def write(self, env_steps: int, scalars: Mapping[str, float | None]) -> None:
        """Add one point to the curve of each tag; None adds no point."""

    def histograms(self, env_steps: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Add the distribution of the numbers of each array. Numbers that are not finite are left out."""

    def film(self, env_steps: int, tag: str, gif: bytes, size: tuple[int, int]) -> None:
        """Add a film.

        Args:
            env_steps: environment steps of the run.
            tag: its name.
            gif: an animated GIF.
            size: its height and width in pixels.
        """
