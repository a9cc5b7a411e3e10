"""Prints each update of a table as the arithmetic of its Bellman equation, with numbers.

    update 7: Q(2, right) ← 0.5 + 0.1 · (0 + 0.9 · max(0.2, 0.81) − 0.5) = 0.5229

It is the textbook's Q(s, a) ← Q(s, a) + α · (r + γ · bootstrap − Q(s, a)) (Sutton & Barto 2018, eq. 6.7 and 6.8). The
bootstrap is that of the composition: the maximum in Q-learning, one value in SARSA and in double Q-learning, an
expectation in expected SARSA. Numbers have up to six digits; "≈" in the place of "=" says that one was rounded. Nothing
that is learnt changes. `run --explain` adds this plugin.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Float64

from framework.assembly.slots import Slots
from framework.errors import UsageError
from framework.events import Callback
from framework.hooks import hookimpl
from framework.options import ReturnsOptions
from framework.types import Batch, Counters, Loss, Optimizer, Policy, Spaces, State, Stateful, TDErrors
from plugins.tabular import Tabular
from plugins.tabular.arithmetic import Arithmetic, Rated, Term, Update

if TYPE_CHECKING:
    from framework.assembly.parts import RunInfo

CHECK_WITH = "tabular,chain"


@dataclass(frozen=True)
class ExplainedErrors(TDErrors):
    """The result of a loss, with what is needed to write it as arithmetic."""

    terms: Sequence[Term]
    before: Float64[np.ndarray, " B"]
    """The entry of each row in the table before the update."""


class ExplainedLoss:
    """Decorates a loss of the tabular family: its results are `ExplainedErrors`."""

    def __init__(self, loss: Loss, policy: Tabular) -> None:
        self._loss, self._policy = loss, policy

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        errors = self._loss(batch, counters)
        terms = cast(Arithmetic, self._loss).bootstraps(batch, errors, counters)
        before = self._policy.table[errors.update[0]].copy()
        return ExplainedErrors(errors.loss, errors.priority, errors.update, terms, before)

    def state_dict(self) -> State:
        """Return the other loss's state, or an empty state if it has none."""
        return self._loss.state_dict() if isinstance(self._loss, Stateful) else {}

    def load_state_dict(self, state: State) -> None:
        if isinstance(self._loss, Stateful):
            self._loss.load_state_dict(state)


class Explanations(Callback):
    """Prints a line for each row of each update."""

    def __init__(self, policy: Tabular, optimizer: Rated, spaces: Spaces, gamma: float) -> None:
        self._policy, self._optimizer, self._spaces, self._gamma = policy, optimizer, spaces, gamma

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        assert isinstance(errors, ExplainedErrors)
        for update in self.explain(batch, errors, counters.updates):
            # the encoding of a terminal may lack the signs, and nobody may read any more: neither ends a run
            with suppress(OSError):
                _print(update.describe(self._spaces, self._gamma))

    def explain(self, batch: Batch, errors: ExplainedErrors, number: int) -> list[Update]:
        """Return the rows of an update that was just applied."""
        cells, targets = errors.update
        keys: list[tuple[int, ...]] = list(zip(*(part.tolist() for part in cells), strict=True))
        rates, seen, found = self._optimizer.rates(batch, errors), dict[tuple[int, ...], float](), []
        for row, key in enumerate(keys):
            old = seen.get(key, float(errors.before[row]))  # an earlier row of the batch may have moved the same entry
            last = key not in keys[row + 1 :]
            moved = (1 - rates[row]) * old + rates[row] * float(targets[row])
            seen[key] = float(self._policy.table[key]) if last else moved
            reward, discount = float(batch.reward[row]), float(batch.discount[row])
            found.append(Update(number, key, old, rates[row], reward, discount, errors.terms[row], seen[key]))
        return found


@hookimpl(wrapper=True)
def make_loss(policy: Policy, slots: Slots) -> Generator[None, Loss, Loss]:
    loss = yield
    if not isinstance(loss, Arithmetic):
        raise UsageError(
            f"explain writes updates of a table as arithmetic, and the loss of {slots.filled['make_loss']} cannot be "
            "written so: use it with tabular, sarsa, expected_sarsa or double_q, or drop explain (--explain)"
        )
    return ExplainedLoss(loss, cast(Tabular, policy))


@hookimpl(wrapper=True)
def make_optimizer() -> Generator[None, Optimizer, Optimizer]:
    optimizer = yield
    if not isinstance(optimizer, Rated):
        raise UsageError(
            f"explain needs an optimiser with a method rates, and {type(optimizer).__name__} has none: drop explain "
            "(--explain)"
        )
    return optimizer


@hookimpl
def make_callbacks(run: RunInfo) -> Sequence[Callback]:
    parts: Any = run.parts
    if not isinstance(parts.loss, ExplainedLoss):
        raise UsageError(
            f"explain reads what its own loss returns, and {type(parts.loss).__name__} stands around it: name explain "
            "after the plugin that decorates make_loss, or drop one of them"
        )
    return [Explanations(parts.policy, parts.optimizer, parts.spaces, parts.config[ReturnsOptions].gamma)]


def _print(line: str) -> None:
    import sys

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding), flush=True)
