"""Shared code for the checks of the tabular family: single transitions, tables and the expected targets.

The checks use only public state: the `table` in a policy's state, [S, A], or [2, S, A] for `double_q`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Discrete
from hypothesis import strategies as st

from framework.conformance.check import NotApplicable, expect
from framework.conformance.fixtures.batches import A
from framework.conformance.fixtures.learners import Learner, LearnerFactory, counters
from framework.conformance.subject import Subject
from framework.types import Batch, Exploration

EXACT = {"rtol": 1e-12, "atol": 1e-12}
"""Tolerances for float64, whatever the order of summation."""

NUMBERS = st.integers(-8, 8).map(float)


class Case(NamedTuple):
    """One transition (s, a, return, discount, s', a') and the table before its update."""

    table: np.ndarray
    state: int
    action: int
    reward: float
    discount: float
    after: int
    next_action: int

    @property
    def shown(self) -> dict[str, object]:
        names = ("table", "s", "a", "return", "discount", "s'", "a'")
        return dict(zip(names, self, strict=True))


def family(subject: Subject, *losses: str, policy: str = "tabular", states: int = 2) -> LearnerFactory:
    """Return a factory of learners with a few states.

    Raises:
        NotApplicable: unless one of `losses` makes the loss, `policy` makes the policy, and no plugin decorates them.
    """
    if subject.owner("make_loss") not in losses or subject.owner("make_policy") != policy:
        raise NotApplicable(
            f"another plugin makes or decorates the loss or the policy; this check is only for {' or '.join(losses)}"
        )
    made = LearnerFactory.of(subject)
    return replace(made, spaces=replace(made.spaces, observation=Discrete(states), frame=Discrete(states)))


def learns_by_tabular(subject: Subject) -> None:
    """Raise `NotApplicable` unless the optimiser is tabular's own."""
    owner = subject.owner("make_optimizer")
    if owner != "tabular":
        raise NotApplicable(f"{owner} fills make_optimizer; this check is only for the optimiser of tabular")


def learner_with_table(made: LearnerFactory, table: np.ndarray) -> Learner:
    learner = made.fresh()
    learner.policy.load_state_dict({"table": table})
    return learner


def table_of_learner(learner: Learner) -> np.ndarray:
    return np.array(learner.policy.state_dict()["table"])


def transitions(made: LearnerFactory, case: Case, rows: int = 1) -> Batch:
    """Return a batch of this transition, repeated `rows` times."""
    return made.batch(
        rows,
        obs=np.full(rows, case.state),
        action=np.full(rows, case.action),
        reward=np.full(rows, case.reward),
        discount=np.full(rows, case.discount),
        next_obs=np.full(rows, case.after),
        next_action=np.full(rows, case.next_action),
    )


def for_all_cases(subject: Subject, body: Callable[[Case], None], tables: int = 1, **given: Any) -> None:
    cells = tables * 2 * A
    shape = (2, A) if tables == 1 else (tables, 2, A)
    parts: dict[str, Any] = {
        "table": st.lists(NUMBERS, min_size=cells, max_size=cells).map(lambda cells: np.reshape(cells, shape)),
        "state": st.integers(0, 1),
        "action": st.integers(0, A - 1),
        "reward": NUMBERS,
        "discount": st.sampled_from((0.0, 0.5, 0.9, 1.0)),
        "after": st.integers(0, 1),
        "next_action": st.integers(0, A - 1),
        **given,
    }
    subject.for_all(body, case=st.builds(Case, **parts))


Bootstrap = Callable[[Case, Exploration], float]
"""Returns the value of s' to bootstrap from."""


def greatest(case: Case, exploration: Exploration) -> float:
    return float(case.table[case.after].max())


def expected(case: Case, exploration: Exploration) -> float:
    values = case.table[[case.after]]
    chances = exploration.probabilities(values, np.array([case.after]), counters())[0]
    return sum(float(chance * value) for chance, value in zip(chances, values[0], strict=True))


def of_next_action(case: Case, exploration: Exploration) -> float:
    return float(case.table[case.after, case.next_action])


def target_is(subject: Subject, loss: str, bootstrap: Bootstrap, **given: Any) -> None:
    """Check that the loss is (y − Q(s, a))² and the priority |y − Q(s, a)|, with y = return + discount · bootstrap."""
    made = family(subject, loss)

    def body(case: Case) -> None:
        learner = learner_with_table(made, case.table)
        target = case.reward + (case.discount * bootstrap(case, learner.exploration) if case.discount else 0.0)
        error = target - case.table[case.state, case.action]
        errors = learner.errors(transitions(made, case))
        expect(
            errors.priority, np.abs([error]), example={**case.shown, "y": target, "compared": "|y − Q(s, a)|"}, **EXACT
        )
        expect(errors.loss, [error**2], example={**case.shown, "y": target, "compared": "(y − Q(s, a))²"}, **EXACT)

    for_all_cases(subject, body, **given)
