"""The evaluations of a run: when they are due, who plays them, and what they mean for the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from typing import Protocol, TypeAlias

from framework.assembly.parts import Parts
from framework.events import EvaluationProgress, EvaluationResult
from framework.options import EvaluationOptions, RunOptions
from framework.training.ends import Patience, decided_end
from framework.training.evaluation import evaluate
from framework.training.identity import as_json
from framework.types import Counters, State

PROGRESS_SECONDS = 1.0
"""The time between two events about the progress of an evaluation."""


class Stopped(Exception):
    """Ends an evaluation early, because the run was stopped."""


Waiting: TypeAlias = Callable[[int | None], None]
"""Called while training waits for an evaluation: with the number of finished episodes, or None if nothing happened."""


class Aside(Protocol):
    """Plays evaluations while training goes on: see `framework.training.aside`."""

    def check(self) -> None: ...

    def begin(self, name: str, episodes: int, first: int, weights: State | None) -> None: ...

    def result(self, waiting: Waiting) -> EvaluationResult: ...


@dataclass(frozen=True)
class _Begun:
    """An evaluation whose result does not count yet."""

    number: int
    counters: Counters
    """When its weights were reached."""
    weights: State


Play: TypeAlias = Callable[[str, int, int, Waiting], EvaluationResult]
"""(name, episodes, evaluation.first or 0, waiting) → the result."""


class Evaluations:
    """Plays the evaluations of a run and tells the callbacks their results."""

    def __init__(self, parts: Parts, tell: Callable[..., None], waiting: Waiting, aside: Aside | None = None) -> None:
        """
        Args:
            parts: of the run.
            tell: calls an event of all callbacks, with these arguments.
            waiting: called while training waits for an evaluation. If it raises `Stopped`, this does not count.
            aside: plays evaluations while training goes on; a result then counts evaluation.lag steps later. None:
                training waits for each evaluation.
        """
        self.last: EvaluationResult | None = None
        self._run = parts.config[RunOptions]
        self.patience = Patience(self._run.patience)
        self._parts, self._tell, self._waiting, self._aside = parts, tell, waiting, aside
        self._options = parts.config[EvaluationOptions]
        self._number = 0
        self._begun: _Begun | None = None

    def resume(self) -> None:
        """Begin again the evaluation that a process was playing when the run stopped."""
        if self._begun is not None and self._aside is not None:
            self._begin(self._begun)

    def after_step(self) -> None:
        """Play the evaluation that is due, if any, or begin it; count the result of the one before if it is time."""
        steps = self._parts.counters.env_steps
        if self._aside is not None:
            self._aside.check()
        if self._begun is not None and (self.is_due or steps >= self._begun.counters.env_steps + self._options.lag):
            self.conclude()
        if not self.is_due or self._begun is not None or decided_end(self._run, self.last, self.patience):
            return  # if an evaluation is still begun here, the run was stopped while it waited for it
        if self._aside is None:
            self.play()
        else:
            self._number = self._next_number()
            self._begun = _Begun(self._number, copy(self._parts.counters), self._parts.policy.state_dict())
            self._begin(self._begun)

    @property
    def is_due(self) -> bool:
        """Whether the run has passed a multiple of evaluation.every since the last evaluation."""
        every = self._options.every
        return bool(every and self._parts.counters.env_steps // every > self._number)

    def play(self) -> EvaluationResult | None:
        """Evaluate now, call the callbacks and return the result.

        If the result reaches `run.until` and `evaluation.confirm` is set, a second evaluation with that many new
        episodes decides instead, and its result is returned. If the run is stopped meanwhile, the evaluation does not
        count, and the result is None.
        """
        number, counters = self._next_number(), self._parts.counters
        self._tell("on_evaluation_start", counters)
        try:
            results = self._results(number, self._play_here)
        except Stopped:
            return None
        self._number = number
        return self._count(results, counters)

    def conclude(self) -> None:
        """Wait for the evaluation that was begun, if any, and count its result.

        If the run is stopped meanwhile, the evaluation stays begun.
        """
        begun, aside = self._begun, self._aside
        if begun is None or aside is None:
            return
        self._tell("on_evaluation_start", self._parts.counters)
        asked = f"periodic/{begun.number}"

        def play(name: str, episodes: int, first: int, waiting: Waiting) -> EvaluationResult:
            if name != asked:
                aside.begin(name, episodes, first, None)
            return replace(aside.result(waiting), weights=begun.weights)

        try:
            results = self._results(begun.number, play)
        except Stopped:
            return
        self._begun = None
        self._count(results, begun.counters)

    def state_dict(self) -> State:
        begun = self._begun
        return {
            "evaluations": self._number,
            "patience": self.patience.state_dict(),
            "last_evaluation": self.last and as_json(asdict(self.last)),
            "begun": begun
            and {"number": begun.number, "counters": begun.counters.state_dict(), "weights": begun.weights},
        }

    def load_state_dict(self, state: State) -> None:
        self._number = int(state["evaluations"])
        self.patience.load_state_dict(state["patience"])
        last, begun = state["last_evaluation"], state["begun"]
        if last is not None:
            lists = {name: tuple(last[name]) for name in ("returns", "lengths")}
            info = {name: tuple(numbers) for name, numbers in last["info"].items()}
            self.last = EvaluationResult(**{**last, **lists, "info": info})
        if begun is not None:
            counters = Counters()
            counters.load_state_dict(begun["counters"])
            self._begun = _Begun(int(begun["number"]), counters, begun["weights"])

    def _next_number(self) -> int:
        every = self._options.every
        return self._parts.counters.env_steps // every if every else self._number + 1

    def _begin(self, begun: _Begun) -> None:
        assert self._aside is not None
        options = self._options
        self._aside.begin(f"periodic/{begun.number}", options.episodes, options.first, begun.weights)

    def _results(self, number: int, play: Play) -> list[EvaluationResult]:
        """The evaluation with this number and, if it reaches `run.until`, its confirmation."""
        options, until = self._options, self._run.until
        reporting = self._reporting(options.episodes, False)
        periodic = play(f"periodic/{number}", options.episodes, options.first, reporting)
        if until is None or periodic.mean < until or not options.confirm:
            return [periodic]
        deciding = play(f"confirmation/{number}", options.confirm, 0, self._reporting(options.confirm, True))
        confirmed = deciding.mean >= until
        return [
            replace(periodic, confirmed=confirmed),
            replace(deciding, confirmation=True, confirmed=confirmed),
        ]

    def _play_here(self, name: str, episodes: int, first: int, waiting: Waiting) -> EvaluationResult:
        goal = self._run.until
        return evaluate(self._parts, name=name, episodes=episodes, first=first, goal=goal, after_step=waiting)

    def _reporting(self, episodes: int, confirmation: bool) -> Waiting:
        """What to call while training waits for an evaluation. It tells the callbacks how far the evaluation is."""
        report = _Reporter(self._tell, self._parts.counters, episodes, confirmation)

        def waiting(finished: int | None) -> None:
            self._waiting(finished)
            report(finished or 0)

        return waiting

    def _count(self, results: Sequence[EvaluationResult], counters: Counters) -> EvaluationResult:
        self.patience.count(results[0], counters.env_steps)
        for result in results:
            self.last = replace(result, weights=None)
            self._tell("on_evaluation", result, counters)
        return results[-1]


class _Reporter:
    """Tells the callbacks about once a second how far an evaluation is."""

    def __init__(self, tell: Callable[..., None], counters: Counters, episodes: int, confirmation: bool) -> None:
        self._tell, self._counters, self._episodes, self._confirmation = tell, counters, episodes, confirmation
        self._finished = 0
        self._due = time.monotonic() + PROGRESS_SECONDS

    def __call__(self, finished: int) -> None:
        self._finished = max(self._finished, finished)
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + PROGRESS_SECONDS
            progress = EvaluationProgress(self._finished, self._episodes, self._confirmation)
            self._tell("on_evaluation_progress", progress, self._counters)
