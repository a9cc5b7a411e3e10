"""Checks of `double_q`: which table moves, selects and evaluates, and which values the agent acts on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from framework.conformance.check import Cause, Violation, check, expect, require
from framework.conformance.fixtures.batches import A, B
from framework.conformance.subject import Subject
from plugins.tabular.rig import (
    EXACT,
    Case,
    family,
    for_all_cases,
    learner_with_table,
    learns_by_tabular,
    table_of_learner,
    transitions,
)


@check(
    "loss",
    "make_loss",
    Cause("one table selects and evaluates, as in plain Q-learning", "MaximeVandegar/Papers-in-100-Lines-of-Code#21"),
    Cause("the table that does not move selects", "higgsfield/RL-Adventure#5"),
)
def double_q_evaluates_with_the_other_table(subject: Subject) -> None:
    """The table that moves selects the next action, and the other table evaluates it."""
    learns_by_tabular(subject)
    made = family(subject, "double_q", policy="double_q")
    made = replace(made, builder=subject.builder({"tabular.learning_rate": 1.0}))

    def body(case: Case) -> None:
        """Compare a case's errors with the targets of both possible moves, then move a table."""
        learner = learner_with_table(made, case.table)
        errors = learner.errors(transitions(made, case, rows=B))
        best = case.table[:, case.after].argmax(axis=1)
        targets = np.array([case.reward + case.discount * case.table[1 - t, case.after, best[t]] for t in (0, 1)])
        old = case.table[:, case.state, case.action]
        found = np.isclose(errors.priority[:, None], np.abs(targets - old), rtol=1e-12, atol=1e-12)
        example = {**case.shown, "y if the first table moves, if the second": targets}
        require(bool(found.any(axis=1).all()), example=example, expected=np.abs(targets - old), got=errors.priority)
        learner.optimizer.apply(transitions(made, case, rows=B), errors)
        _only_moved(case, table_of_learner(learner), targets, example)

    for_all_cases(subject, body, tables=2)


def _only_moved(case: Case, after: np.ndarray, targets: np.ndarray, example: object) -> None:
    """Check that each table's cell is now its target or has not changed, and that no other cell has changed."""
    stay = np.ones(after.shape, np.bool_)
    stay[:, case.state, case.action] = False
    expect(after[stay], case.table[stay], example=example)
    for table, target in enumerate(targets):
        got, old = after[table, case.state, case.action], case.table[table, case.state, case.action]
        if not np.isclose(got, [old, target], rtol=1e-12, atol=1e-12).any():
            raise Violation(example, f"table {table}: {old} as before, or {target}", got)


# by Hoeffding's inequality, P(|heads − n / 2| ≥ 2.5 √n) ≤ 2 exp(−12.5) = 7.5e-6
@check(
    "loss",
    "make_loss",
    Cause("one coin for the whole batch, or no coin"),
    Cause("the threshold is not a half"),
    false_alarm=7.5e-6,
)
def double_q_tosses_a_fair_coin_for_each_row(subject: Subject) -> None:
    """A fair coin for each row decides which table moves, so each table moves in about half of the rows."""
    made = family(subject, "double_q", policy="double_q")
    rows = 4000
    table = np.zeros((2, 2, A))
    table[1] = 1.0
    learner = learner_with_table(made, table)
    # the target is 5, without a bootstrap: the error is 5 in the first table and 4 in the second
    errors = learner.errors(transitions(made, Case(table, 0, 0, 5.0, 0.0, 0, 0), rows))
    heads = int((errors.priority == 5).sum())
    example = {"rows": rows, "false alarm": 7.5e-6}
    slack = 2.5 * rows**0.5
    require(
        abs(heads - rows / 2) < slack, example=example, expected=f"2000 ± {slack:.0f} in the first table", got=heads
    )


@check("policy", "make_policy", Cause("the agent acts on only one of the tables"))
def double_q_acts_on_both_tables(subject: Subject) -> None:
    """The agent acts on the mean of its two tables."""
    made = family(subject, "double_q", policy="double_q")
    table = np.arange(4.0 * A).reshape(2, 2, A) ** 2
    wanted = [[(table[0, state, action] + table[1, state, action]) / 2 for action in range(A)] for state in (0, 1)]
    expect(
        learner_with_table(made, table).values(np.array([0, 1])), np.array(wanted), example={"tables": table}, **EXACT
    )
