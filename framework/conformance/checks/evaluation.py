"""Checks of evaluations: whole episodes, raw returns, a fixed ε, environments and seeds of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from framework.assembly.parts import Parts
from framework.conformance.check import Cause, check, expect, require
from framework.conformance.checks.loop.events import games
from framework.conformance.fixtures.environments.probes import Entry, Ledger
from framework.conformance.fixtures.spies import expect_rows, ledgers, spy_on
from framework.conformance.subject import Subject
from framework.environments.stream import TransitionStream
from framework.events import EvaluationResult
from framework.training.evaluation import evaluate
from framework.training.loop import Loop
from framework.types import Step

VALUES: Mapping[str, Any] = {
    "run.steps": 12,
    "run.episodes": None,
    "run.num_envs": 2,
    "evaluation.num_envs": 3,
    "evaluation.groups": 1,
    "probe.stagger": True,
}
QUOTA = (3, 2, 2)
"""How many of seven episodes each of three environments plays."""


class Played:
    """One evaluation of a composition on ledger environments, and all that a check can observe of it."""

    def __init__(
        self, subject: Subject, parts: Parts, name: str = "a", episodes: int = 7, epsilon: float = 0.0
    ) -> None:
        opened: list[tuple[str, TransitionStream]] = []
        self.closed = 0
        self.values: list[tuple[np.ndarray, bool]] = []
        inner = parts.open_stream

        def open_stream(role: Any, *more: Any, **named: Any) -> TransitionStream:
            stream = inner(role, *more, **named)
            opened.append((role, stream))
            spy_on(stream, "close", self._count)
            _spoil_learners_rewards(stream)
            return stream

        object.__setattr__(parts, "open_stream", open_stream)
        spy_on(parts.policy, "action_values", self._ask)
        try:
            self.result: EvaluationResult = evaluate(parts, name=name, episodes=episodes, epsilon=epsilon)
        finally:
            object.__delattr__(parts, "open_stream")
            object.__delattr__(parts.policy, "action_values")
        self.roles = [role for role, _ in opened]
        self.books: list[Ledger] = [book for _, stream in opened for book in ledgers(subject, stream)]
        self.games: list[list[Entry]] = [
            game for book, quota in zip(self.books, QUOTA, strict=False) for game in games(book.log)[:quota]
        ]

    def _count(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        self.closed += 1

    def _ask(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        self.values.append((np.array(result), bool([*args, *kwargs.values()][1])))

    @property
    def greedy(self) -> list[list[bool]]:
        """For each environment, whether each of its actions was the first one with the largest value."""
        best = [values.argmax(axis=1) for values, _ in self.values]
        return [
            [entry.action == greedy[env_id] for entry, greedy in zip(book.log, best, strict=False)]
            for env_id, book in enumerate(self.books)
        ]


def _spoil_learners_rewards(stream: TransitionStream) -> None:
    """Replace the learner's rewards with a value that no report may contain."""
    inner = stream.finish

    def finish() -> Step:
        step = inner()
        return replace(step, reward=np.full_like(step.reward, 1e6))

    object.__setattr__(stream, "finish", finish)


@check(
    "evaluation",
    "make_env",
    Cause("the episodes that finish first are counted, which favours short ones"),
    Cause("truncated episodes are not counted"),
    Cause("the clipped reward is reported instead of the raw one"),
)
def an_evaluation_reports_whole_episodes(subject: Subject) -> None:
    """Every environment plays its share of whole episodes, and the evaluation reports their raw returns and lengths."""
    with subject.probed("ledger", VALUES) as parts:
        played = Played(subject, parts, epsilon=0.5)
    result = played.result
    expect(len(result.returns), sum(QUOTA), example={"episodes": 7, "what": "number of reported returns"})
    got = list(zip([round(value, 9) for value in result.returns], result.lengths, strict=True))
    wanted = [(round(sum(entry.reward for entry in game), 9), len(game)) for game in played.games]
    expect_rows(sorted(got), sorted(wanted), "episode", {"environments": 3, "episodes": 7, "shown": "(return, length)"})
    kinds = {tuple((entry.action, entry.reward) for entry in game) for game in played.games}
    expect(result.distinct, len(kinds), example="number of different episodes, by actions and rewards")
    expect(result.epsilon, 0.5, example={"what": "the reported ε", "asked for": 0.5})


@check(
    "evaluation",
    "make_env",
    Cause("the evaluation plays in the training environments, so that training continues from the wrong state"),
)
def an_evaluation_has_environments_of_its_own(subject: Subject) -> None:
    """An evaluation opens new environments with the role "evaluate", closes them and does not step training's."""
    with subject.probed("ledger", VALUES) as parts:
        Loop(parts).run()
        before = [len(book.log) for book in ledgers(subject, parts.stream)]
        played = Played(subject, parts)
        after = [len(book.log) for book in ledgers(subject, parts.stream)]
    expect(after, before, example="steps of each training environment, before and after an evaluation")
    expect(played.roles, ["evaluate"], example="roles of the environments that the evaluation opened")
    expect(played.closed, 1, example="how often the evaluation closed its environments")


@check(
    "evaluation",
    "make_policy",
    Cause("exploration stays on in evaluations", "ray-project/ray#7394"),
    Cause("the noise of the network is active in evaluations", "IntelLabs/coach#368"),
)
def an_evaluation_does_not_explore(subject: Subject) -> None:
    """With ε = 0 every action is greedy in the values that the policy gives with explore=False."""
    with subject.probed("ledger", VALUES) as parts:
        Loop(parts).run()
        played = Played(subject, parts)
        again = parts.policy.action_values(parts.stream.observations, False)
        same = parts.policy.action_values(parts.stream.observations, False)
    asked = [explore for _, explore in played.values]
    expect(any(asked), False, example={"ε": 0, "what": "the policy is called with explore=True"})
    for env_id, greedy in enumerate(played.greedy):
        expect(all(greedy), True, example={"ε": 0, "environment": env_id, "what": "every action is greedy"})
    expect(same, again, example="two calls with explore=False on the same observations")


# Each of 300 actions is random with probability 1/2, and a random action is not greedy with probability 2/3. So 100 ±
# 8.2 are not greedy. The bounds are at least 5.3 standard deviations away: the exact binomial tails outside [56, 147]
# sum to 1.3e-8.
@check("evaluation", "make_exploration", Cause("the evaluation uses the schedule of ε from training"), false_alarm=1e-6)
def an_evaluation_explores_as_much_as_it_is_told(subject: Subject) -> None:
    """With ε = 1/2 and three actions, about a third of the actions are not greedy, however training explores."""
    with subject.probed("ledger", {**VALUES, "probe.lengths": (10,)}) as parts:
        played = Played(subject, parts, name=f"exploring/{subject.seed}", episodes=30, epsilon=0.5)
    random = sum(not greedy for flags in played.greedy for greedy in flags[:100])
    example = {"ε": 0.5, "actions": 3, "steps": 300}
    require(56 <= random <= 147, example=example, expected="about 100 actions that are not greedy", got=random)


# Under two names, three environments start with the same frames, out of 499, with probability 1e-8.
@check(
    "evaluation",
    "make_env",
    Cause("all evaluations share one random generator, so that no two can be compared"),
    Cause("every evaluation plays the same episodes", "hill-a/stable-baselines#675"),
    false_alarm=1e-7,
)
def an_evaluation_s_name_decides_its_games(subject: Subject) -> None:
    """Evaluations with the same name play the same episodes with the same random actions; other names give others."""
    with subject.probed("ledger", VALUES) as parts:
        runs = [Played(subject, parts, name=name, epsilon=0.5) for name in ("a", "b", "a")]
    first, other, again = (played.games for played in runs)
    expect_rows(again, first, "episode", {"evaluation": "the same name again"})
    starts = [[game[0].obs for game in found] for found in (first, other)]
    require(
        starts[0] != starts[1], example="evaluations a and b", expected="other starts", got=f"both start at {starts[0]}"
    )
