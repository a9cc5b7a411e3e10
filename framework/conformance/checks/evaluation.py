"""Checks of evaluations: whole episodes, raw returns, a small fixed ε, games of their own."""

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
    "probe.stagger": True,
}
QUOTA = (3, 2, 2)
"""Seven episodes on three environments."""


class Played:
    """One evaluation of a composition on ledgers, and everything that can be seen of it."""

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
        """For each environment, whether each of its actions was the first of the largest value."""
        best = [values.argmax(axis=1) for values, _ in self.values]
        return [
            [entry.action == greedy[env_id] for entry, greedy in zip(book.log, best, strict=False)]
            for env_id, book in enumerate(self.books)
        ]


def _spoil_learners_rewards(stream: TransitionStream) -> None:
    """Give the learner's rewards a value that no report may contain."""
    inner = stream.finish

    def finish() -> Step:
        step = inner()
        return replace(step, reward=np.full_like(step.reward, 1e6))

    object.__setattr__(stream, "finish", finish)


@check(
    "evaluation",
    "make_env",
    Cause("whoever finishes first is counted, which favours short episodes"),
    Cause("an episode that is cut off is not counted as one"),
    Cause("the clipped reward is reported instead of the raw one"),
)
def an_evaluation_reports_whole_episodes(subject: Subject) -> None:
    """Every environment plays its share of episodes to their ends; raw returns and lengths are reported."""
    with subject.probed("ledger", VALUES) as parts:
        played = Played(subject, parts, epsilon=0.5)
    result = played.result
    expect(len(result.returns), sum(QUOTA), example={"episodes": 7, "what": "returns that are reported"})
    got = list(zip([round(value, 9) for value in result.returns], result.lengths, strict=True))
    wanted = [(round(sum(entry.reward for entry in game), 9), len(game)) for game in played.games]
    expect_rows(sorted(got), sorted(wanted), "episode", {"environments": 3, "episodes": 7, "shown": "(return, length)"})
    kinds = {tuple((entry.action, entry.reward) for entry in game) for game in played.games}
    expect(result.distinct, len(kinds), example="different games among them")
    expect(result.epsilon, 0.5, example={"what": "ε as reported", "asked for": 0.5})


@check(
    "evaluation",
    "make_env",
    Cause("the training environments are evaluated in, and go on from a state that training never saw"),
)
def an_evaluation_has_environments_of_its_own(subject: Subject) -> None:
    """An evaluation plays in new environments, made for evaluations and closed in the end; training's stand still."""
    with subject.probed("ledger", VALUES) as parts:
        Loop(parts).run()
        before = [len(book.log) for book in ledgers(subject, parts.stream)]
        played = Played(subject, parts)
        after = [len(book.log) for book in ledgers(subject, parts.stream)]
    expect(after, before, example="steps of each training environment, before and after an evaluation")
    expect(played.roles, ["evaluate"], example="what environments were opened for")
    expect(played.closed, 1, example="times that they were closed")


@check(
    "evaluation",
    "make_policy",
    Cause("exploration is left on in evaluations", "ray-project/ray#7394"),
    Cause("the noise of the network is active in evaluations", "IntelLabs/coach#368"),
)
def an_evaluation_does_not_explore(subject: Subject) -> None:
    """With ε = 0 each action is the greedy one of values that the policy gave without exploring."""
    with subject.probed("ledger", VALUES) as parts:
        Loop(parts).run()
        played = Played(subject, parts)
        again = parts.policy.action_values(parts.stream.observations, False)
        same = parts.policy.action_values(parts.stream.observations, False)
    asked = [explore for _, explore in played.values]
    expect(any(asked), False, example={"ε": 0, "what": "the policy is asked to explore"})
    for env_id, greedy in enumerate(played.greedy):
        expect(all(greedy), True, example={"ε": 0, "environment": env_id, "what": "every action is greedy"})
    expect(same, again, example="the values of one observation without exploration, twice")


# Of 300 actions each is random with probability 1/2 and then not greedy with 2/3: 100 ± 8.2 are not. 5.4 standard
# deviations either way: the exact binomial tails outside of [56, 147] sum to 1.3e-8.
@check("evaluation", "make_exploration", Cause("the schedule of the training is used"), false_alarm=1e-6)
def an_evaluation_explores_as_much_as_it_is_told(subject: Subject) -> None:
    """With ε = 1/2 about a third of three actions are not greedy, whatever the training's exploration does now."""
    with subject.probed("ledger", {**VALUES, "probe.lengths": (10,)}) as parts:
        played = Played(subject, parts, name=f"exploring/{subject.seed}", episodes=30, epsilon=0.5)
    random = sum(not greedy for flags in played.greedy for greedy in flags[:100])
    example = {"ε": 0.5, "actions": 3, "steps": 300}
    require(56 <= random <= 147, example=example, expected="about 100 actions that are not greedy", got=random)


# two names start three episodes at equal places, of 499, with probability 1e-8
@check(
    "evaluation",
    "make_env",
    Cause("all evaluations draw on one random stream, so no two can be compared"),
    Cause("every evaluation plays the same games", "hill-a/stable-baselines#675"),
    false_alarm=1e-7,
)
def an_evaluation_s_name_decides_its_games(subject: Subject) -> None:
    """Evaluations of one name are the same game for game, random actions and all; those of another are others."""
    with subject.probed("ledger", VALUES) as parts:
        runs = [Played(subject, parts, name=name, epsilon=0.5) for name in ("a", "b", "a")]
    first, other, again = (played.games for played in runs)
    expect_rows(again, first, "game", {"evaluation": "the same name again"})
    starts = [[game[0].obs for game in found] for found in (first, other)]
    require(
        starts[0] != starts[1], example="evaluations a and b", expected="other games", got=f"both start at {starts[0]}"
    )
