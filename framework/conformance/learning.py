"""Lets whole agents learn until they are right, and judges them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from framework.assembly import Parts
from framework.conformance.checks import Violation, shown
from framework.conformance.environments import ProcessEnv
from framework.evaluation import evaluate
from framework.events import Callback
from framework.loop import Loop
from framework.types import Counters, Step

STREAK = 3
"""Judgements in a row that must be favourable: values on their way to somewhere else pass the right ones, too."""

TRIED = 0.05
"""Probability from which on an action is still tried, so that its value should be known."""

Verdict = tuple[object, object]
"""(expected, got), as a violation shows them."""

Judge = Callable[[], Verdict | None]
"""Says what is wrong with the agent now; None if nothing is."""


class _Lesson(Callback):
    def __init__(self, judge: Judge, every: int) -> None:
        self._judge, self._every = judge, every
        self._judged = self.streak = 0
        self.stop: Callable[[], None] = lambda: None
        self.wrong: Verdict | None = None

    def on_step(self, step: Step, counters: Counters) -> None:
        if counters.updates == 0 or counters.env_steps // self._every == self._judged:
            return
        self._judged = counters.env_steps // self._every
        wrong = self._judge()
        self.streak = 0 if wrong else self.streak + 1
        self.wrong = wrong or self.wrong
        if self.streak == STREAK:
            self.stop()


def learn(parts: Parts, judge: Judge, every: int, example: Mapping[str, Any]) -> None:
    """Train until the judge has been content three times in a row.

    Args:
        every: environment steps between two judgements.
        example: what a violation shows beside the last thing that was wrong.

    Raises:
        Violation: if the run ends before.
    """
    lesson = _Lesson(judge, every)
    loop = Loop(parts, [*([judge] if isinstance(judge, Callback) else []), lesson])
    lesson.stop = loop.stop
    loop.run()
    if lesson.streak < STREAK:
        expected, got = lesson.wrong or ("an agent that learns", "no updates")
        counters = parts.counters
        raise Violation({**example, "steps": counters.env_steps, "updates": counters.updates}, expected, got)


class Values(Callback):
    """Judges the values of all that was seen of a decision process.

    Whatever the method, the value of the greedy action is the true one, and no action that is still tried is held for
    better than it is (methods that widen gaps hold others for worse). The greedy action is a best one; where not all
    are tried to the end, only if `always` says so.
    """

    def __init__(self, parts: Parts, env: ProcessEnv, gamma: float, tolerance: float, always: bool = True) -> None:
        self._parts, self._read = parts, env.painter.read
        self._tolerance, self._always = tolerance, always
        self._seen: dict[bytes, np.ndarray] = {}
        self.q_star = np.asarray(env.process.q_star(gamma), np.float64)

    def on_step(self, step: Step, counters: Counters) -> None:
        for obs in self._parts.stream.observations:
            self._seen.setdefault(np.asarray(obs).tobytes(), np.array(obs))

    def __call__(self) -> Verdict | None:
        parts, obs = self._parts, np.stack(list(self._seen.values()))
        values = parts.policy.action_values(obs, False)
        tried = parts.exploration.probabilities(values, obs, parts.counters) >= TRIED
        states = np.asarray([self._read(one) for one in obs])
        wanted, found = self.q_star[states], np.asarray(values, np.float64)
        rows, greedy = np.arange(len(obs)), found.argmax(axis=1)
        near = np.abs(found - wanted)[rows, greedy] <= self._tolerance
        best = np.isclose(wanted[rows, greedy], wanted.max(axis=1)) | ~(tried.all(axis=1) | self._always)
        modest = ((found <= wanted + self._tolerance) | ~tried).all(axis=1)
        if (near & best & modest).all() and len(set(states.tolist())) == len(self.q_star):
            return None
        order = np.argsort(states, kind="stable")
        return (
            f"values {shown(wanted[order])} of states {shown(states[order])}, ± {self._tolerance}",
            f"values {shown(found[order].round(3))}",
        )


class OptimalActions:
    """Judges the greedy actions along an episode by the optimal values of every observation's actions.

    Args:
        q_star: [S, A] for observations 0 … S − 1.
        limit: steps after which the episode is followed no further.
    """

    def __init__(self, parts: Parts, q_star: np.ndarray, limit: int = 200) -> None:
        self._parts, self._q_star, self._limit = parts, q_star, limit

    def __call__(self) -> Verdict | None:
        stream = self._parts.open_stream("evaluate", 1, "greedy")
        try:
            for _ in range(self._limit):
                obs = stream.observations
                action = self._parts.policy.action_values(obs, False).argmax(axis=1)
                worth = self._q_star[int(obs[0])]
                if worth[action[0]] < worth.max() - 1e-9:
                    return f"state {int(obs[0])}: an action of {shown(worth)} that is worth most", f"action {action[0]}"
                stream.begin(action)
                if stream.finish().ended.any():
                    return None
        finally:
            stream.close()
        return "an episode that ends", f"none after {self._limit} steps"


class Returns:
    """Judges the greedy policy's episodes: each must earn all that can be earned."""

    def __init__(self, parts: Parts, best: float, episodes: int) -> None:
        self._parts, self._best, self._episodes = parts, best, episodes

    def __call__(self) -> Verdict | None:
        result = evaluate(self._parts, name="greedy", episodes=self._episodes, epsilon=0.0)
        if min(result.returns) >= self._best:
            return None
        return f"a return of {self._best:g} in each of {self._episodes} episodes", shown(result.returns)
