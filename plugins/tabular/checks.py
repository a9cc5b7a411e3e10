"""Checks of `tabular`: its target, which cells an update moves, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect
from framework.conformance.fixtures.batches import A, B
from framework.conformance.subject import Subject
from framework.events import Callback
from framework.training.loop import Loop
from framework.types import Counters, Step
from plugins.tabular.rig import (
    EXACT,
    Case,
    family,
    greatest,
    learner_with_table,
    learns_by_tabular,
    table_of_learner,
    target_is,
    transitions,
)


@check(
    "loss",
    "make_loss",
    Cause("the target uses the value of s, not of s'", "google-research/recsim#26"),
    Cause("the exponent of γ is read from the flags of termination, so that γ⁰ = 1", "takuseno/d3rlpy#346"),
)
def q_learning_looks_at_the_best_next_action(subject: Subject) -> None:
    """Q-learning's target is return + discount · max over a' of Q(s', a'), in float64."""
    target_is(subject, "tabular", greatest)


@check("loss", "make_loss", Cause("NaN · 0 is NaN", "anthonytorlucci/rlevo#192"))
def a_cell_of_nan_stays_behind_a_discount_of_zero(subject: Subject) -> None:
    """Where the discount is 0, the cells of s' have no effect on the target, even if they are NaN."""
    double = subject.fills("make_policy", "double_q")
    made = family(subject, "tabular", "sarsa", "expected_sarsa", "double_q", policy="double_q" if double else "tabular")
    for next_action in range(-1, A):
        table = np.zeros((2, 2, A) if double else (2, A))
        table[..., 1, :] = np.nan
        case = Case(table, 0, 1, 2.0, 0.0, 1, next_action)
        with np.errstate(invalid="ignore"):
            errors = learner_with_table(made, table).errors(transitions(made, case, rows=B))
        expect(errors.loss, np.full(B, 4.0), example=case.shown, **EXACT)


@check(
    "optimizer",
    "make_optimizer",
    Cause("several rows are updated at once, and only the last row of each cell counts"),
    Cause("importance weights are ignored, or used twice"),
    Cause("α is the weight of the old value, not of the target"),
)
def cells_move_row_by_row(subject: Subject) -> None:
    """Row by row, an update moves only the row's cell, by the fraction min(α · weight, 1) of the way to its target."""
    learns_by_tabular(subject)
    made = family(subject, "tabular", "sarsa", "expected_sarsa")
    for rate in (0.25, 1.0):
        builder = subject.builder({"tabular.learning_rate": rate})
        for rows, weights in ((1, [1.0]), (1, [0.5]), (1, [3.0]), (1, [50.0]), (2, [1.0, 0.5]), (3, [0.5, 1.0, 0.25])):
            learner = learner_with_table(replace(made, builder=builder), np.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]]))
            wanted = table_of_learner(learner)
            rewards, states = 64.0 * np.arange(1, rows + 1), np.array([0, 0, 1])[:rows]
            # the second row has the same cell as the first
            actions = np.array([1, 1, 2])[:rows]
            given: dict[str, Any] = {"obs": states, "action": actions, "reward": rewards, "weights": np.array(weights)}
            learner.learn(made.batch(rows, discount=np.zeros(rows), **given))
            for state, action, reward, weight in zip(states, actions, rewards, weights, strict=True):
                share = min(rate * weight, 1.0)
                wanted[state, action] = (1 - share) * wanted[state, action] + share * reward
            example = {"α": rate, "cells": [*zip(states, actions, strict=True)], "targets": rewards, "weights": weights}
            expect(table_of_learner(learner), wanted, example=example, **EXACT)


@check(
    "optimizer",
    "make_optimizer",
    Cause("updates are counted for the whole table, not for each entry"),
    Cause("the count starts at 0, so that the second update has the rate of the first"),
)
def the_nth_update_of_a_cell_has_the_rate_of_its_number(subject: Subject) -> None:
    """The n-th update of a cell moves it by α / n^ω of the way to its target, with ω = tabular.power."""
    learns_by_tabular(subject)
    made = family(subject, "tabular", "sarsa", "expected_sarsa")
    for power in (0.5, 1.0):
        builder = subject.builder({"tabular.learning_rate": 0.5, "tabular.power": power})
        learner = learner_with_table(replace(made, builder=builder), np.zeros((2, A)))
        wanted, updates = np.zeros((2, A)), np.zeros((2, A))
        cells = ((0, 1), (0, 1), (1, 1), (0, 1), (0, 2), (1, 1), *[(1, 2)] * 300)  # more than 8 bits can count
        for number, (state, action) in enumerate(cells, 1):
            learner.learn(transitions(made, Case(wanted, state, action, 8.0 * number, 0.0, 1, 0)))
            updates[state, action] += 1
            share = 0.5 / updates[state, action] ** power
            wanted[state, action] += share * (8.0 * number - wanted[state, action])
            example = {"ω": power, "cell": (state, action), "its update": updates[state, action]}
            expect(table_of_learner(learner), wanted, example=example, **EXACT)


@check("optimizer", "make_optimizer", Cause("Q + α · (y − Q) is rounded; (1 − α) · Q + α · y is exact for α = 1"))
def a_learning_rate_of_one_is_an_assignment(subject: Subject) -> None:
    """With α = 1 a cell becomes exactly its target, however large the old value was."""
    learns_by_tabular(subject)
    made = family(subject, "tabular", "sarsa", "expected_sarsa")
    table = np.full((2, A), 1e17)
    learner = learner_with_table(replace(made, builder=subject.builder({"tabular.learning_rate": 1.0})), table)
    case = Case(table, 0, 1, 0.1, 0.0, 1, 0)
    learner.learn(transitions(made, case))
    expect(table_of_learner(learner)[0, 1], 0.1, example=case.shown)


TEXTBOOK = (
    ("make_returns", "engine", "engine+sarsa"),
    ("make_exploration", "engine"),
    ("make_buffer", "engine"),
    ("make_sampler", "tabular"),
    ("make_optimizer", "tabular"),
    ("make_cadence", "tabular"),
)
"""Slots, each with the plugins that may fill it if a run is to equal the textbook's."""

GREEDY = {
    "run.num_envs": 1,
    "run.episodes": None,
    "tabular.initial": 2.0,  # more than the first rewards, so that the agent tries several actions
    "exploration.start": 0.0,
    "exploration.final": 0.0,
    "learning.batch_size": 1,
    "learning.starts": 0,
    "learning.updates_per_step": 1.0,
}


class _UpdateSpy(Callback):
    def __init__(self) -> None:
        self.steps: list[Step] = []

    def on_step(self, step: Step, counters: Counters) -> None:
        self.steps.append(step)


class Textbook:
    """The textbook's greedy learners. They get the transitions of a run one at a time."""

    def __init__(self, table: np.ndarray, rate: float, gamma: float, waits: bool) -> None:
        self.table, self._rate, self._gamma = table, rate, gamma
        self._waits = waits
        self._waiting: Callable[[int], None] | None = None

    def act(self, state: int) -> int:
        """Return the greedy action, and then learn the transition that waits for it."""
        action = int(self.table[state].argmax())
        if self._waiting is not None:
            self._waiting(action)
            self._waiting = None
        return action

    def learn(self, state: int, action: int, reward: float, after: int, terminated: bool, truncated: bool) -> None:
        """Learn a transition at once (Q-learning and greedy expected SARSA) or after its next action (SARSA)."""

        def move(bootstrap: float) -> None:
            target = reward + (0.0 if terminated else self._gamma * bootstrap)
            self.table[state, action] = (1 - self._rate) * self.table[state, action] + self._rate * target

        if self._waits and not (terminated or truncated):

            def move_towards(following: int) -> None:
                move(float(self.table[after, following]))

            self._waiting = move_towards
        else:
            move(float(self.table[after].max()))


@check(
    "agent",
    "make_cadence",
    Cause("an action is chosen before the previous transition is learnt"),
    Cause("a truncation is treated as a termination", "keras-rl/keras-rl#298"),
)
def a_greedy_run_is_the_textbooks(subject: Subject) -> None:
    """Without exploration, a run takes the textbook's actions and ends with the textbook's table."""
    family(subject, "tabular", "sarsa", "expected_sarsa")
    for slot, *owners in TEXTBOOK:
        if subject.owner(slot) not in owners:
            raise NotApplicable(f"{subject.owner(slot)} fills {slot}, so the agent is not the textbook's")
    gamma, rate, steps = 0.8, 0.5, 40
    values = {**GREEDY, "run.steps": steps, "returns.gamma": gamma, "tabular.learning_rate": rate}
    for probe in ("by_action", "endless", "delayed", "by_both", "coin"):
        recorder = _UpdateSpy()
        with subject.probed(probe, values) as parts:
            Loop(parts, [recorder]).run()
            table = np.array(parts.policy.state_dict()["table"])
        book = Textbook(np.full(table.shape, 2.0), rate, gamma, waits=subject.fills("make_loss", "sarsa"))
        for number, step in enumerate(recorder.steps):
            state, action, after = (int(array[0]) for array in (step.obs, step.action, step.next_obs))
            example = {"probe": probe, "step": number, "state": state, "table": book.table.copy()}
            expect(action, book.act(state), example={**example, "compared": "the action"})
            book.learn(state, action, float(step.reward[0]), after, bool(step.terminated[0]), bool(step.truncated[0]))
        expect(table, book.table, example={"probe": probe, "steps": steps, "compared": "the table at the end"}, **EXACT)
