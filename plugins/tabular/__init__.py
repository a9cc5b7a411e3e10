"""Tabular Q-learning (Watkins 1989; Sutton & Barto 2018, section 6.5): a table of action values for finite states.

Q(s, a) ← Q(s, a) + α · [r + γ · max_a' Q(s', a') − Q(s, a)]. The agent learns the transitions one at a time and in
order, each before it chooses the next action. With α = 1 the update sets Q(s, a) to its target. After the first
`learning.starts` steps it makes up for the updates that it had not made.

With `tabular.power` = ω, the n-th update of an entry has α = `tabular.learning_rate` / n^ω. For ½ < ω ≤ 1 the sum of
all α is infinite and that of all α² finite, so Q-learning converges to the optimum where rewards or transitions are
random (Robbins & Monro 1951; Even-Dar & Mansour 2003, section 3, who find ω ≈ 0.77 best).

Paper → here (Sutton & Barto 2018):

| option | paper | here | why |
| --- | --- | --- | --- |
| `tabular.learning_rate` | 0.5 (example 6.5) | 1.0 | exact if nothing is random; use less elsewhere |
| `tabular.power` | 0 (example 6.5) | 0.0 | |
| `tabular.initial` | arbitrary, 0 in terminal states | 0.0 | |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from framework.assembly.slots import Slots
from framework.config import Config, Field, Section
from framework.conformance.check import Check, Purpose, checks_in
from framework.defaults.pacing import NoSync
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.options import LearningOptions, ReplayOptions
from framework.processes.limits import require_memory
from framework.replay.samplers import InOrderSampler
from framework.spaces import States, only_legal
from framework.types import (
    Batch,
    Cadence,
    Counters,
    Exploration,
    ExportedModel,
    Loss,
    ModelInput,
    Optimizer,
    Policy,
    Sampler,
    Spaces,
    State,
    TargetSync,
    TDErrors,
)
from plugins.tabular.arithmetic import Term


class TabularOptions(
    Section, name="tabular", searched={"learning_rate": "log(0.05, 1.0)", "power": "uniform(0.0, 1.0)"}
):
    """The table of action values and its update."""

    learning_rate: float = Field(
        1.0, gt=0, le=1, description="α: weight of the target in the first update of an entry of the table"
    )
    power: float = Field(0.0, ge=0, le=1, description="ω: the n-th update of an entry has α / n^ω; 0: always α")
    initial: float = Field(0.0, description="initial value of every entry of the table")


class Tabular(Protocol):
    """A policy with its action values in `table`: float64 [S, A], or several such tables in one array.

    `states(obs)` is the number of each observation's state, int64 [N].
    """

    table: Float64[np.ndarray, "*tables S A"]
    states: States


class QTable:
    """The value of every action in every state: `table`, float64 [S, A]."""

    def __init__(self, states: States | int, actions: int, initial: float) -> None:
        """
        Args:
            states: how observations are numbered; or S, for observations that are these numbers.
        """
        states = states if isinstance(states, States) else States(states)
        needed = states.count * actions * (8 + 8)
        require_memory(
            needed,
            f"a table of {states.count:,} states, with counts of updates,",
            "use an environment with fewer states",
        )
        self.states = states
        self.table: Float64[np.ndarray, "S A"] = np.full((states.count, actions), initial, np.float64)

    def action_values(self, obs: Shaped[np.ndarray, "N *obs"], explore: bool) -> Float64[np.ndarray, "N A"]:
        return self.table[self.states(obs)]

    def export(self, suffix: str, inputs: Sequence[ModelInput], metadata: str) -> ExportedModel:
        """Export the table: see `framework.types.Exportable`."""
        from plugins.tabular.export import export_table

        return export_table(self, self.table, suffix, inputs, metadata)

    def state_dict(self) -> State:
        return {"table": self.table.copy()}

    def load_state_dict(self, state: State) -> None:
        """Restore the table. Raises UsageError if the saved table has another size."""
        restore(self.table, state, "a table")


def restore(table: Float64[np.ndarray, "*tables S A"], state: State, kind: str) -> None:
    """Overwrite a table with the saved one.

    Args:
        kind: what the error message calls the table.

    Raises:
        UsageError: if the state has no table of this size.
    """
    saved = state.get("table")
    if not isinstance(saved, np.ndarray) or saved.shape != table.shape:
        states, actions = table.shape[-2:]
        raise UsageError(f"the weights are not {kind} of {states} states and {actions} actions")
    table[...] = saved


def table_of(policy: Policy, slots: Slots) -> QTable:
    """Return the policy as the Q-table of `tabular`.

    Raises:
        UsageError: if the policy is something else. The message names the plugins of the loss and of the policy.
    """
    if isinstance(policy, QTable):
        return policy
    loss, owner = slots.filled["make_loss"], slots.filled["make_policy"]
    raise UsageError(
        f"{loss} learns the Q-table of 'tabular', and {owner} makes a {type(policy).__name__}: "
        f"replace {owner} by tabular, or drop {loss}"
    )


def temporal_difference(
    policy: Tabular, cells: tuple[Int64[np.ndarray, " B"], ...], batch: Batch, bootstrap: Float64[np.ndarray, " B"]
) -> TDErrors:
    """Return the temporal-difference errors δ = y − table[cells] with y = r + discount · bootstrap.

    The loss is δ², the priority |δ|, and `update` is (cells, y) for `Assignment`. Where the discount is 0, the
    bootstrap is ignored, even if it is NaN.

    Args:
        cells: the index of each row in the table: (`policy.states(batch.obs)`, `batch.action`) for one table.
    """
    target = batch.reward + np.where(batch.discount == 0, 0.0, batch.discount * bootstrap)
    error = target - policy.table[cells]
    return TDErrors(loss=error**2, priority=np.abs(error), update=(cells, target))


def expectation(
    policy: QTable, exploration: Exploration, batch: Batch, counters: Counters
) -> Float64[np.ndarray, " B"]:
    """Return Σ_a π(a|s') Q(s', a) for each transition."""
    values = policy.action_values(batch.next_obs, explore=True)
    allowed = only_legal(values, batch.next_obs)
    return (exploration.probabilities(allowed, batch.next_obs, counters) * values).sum(axis=1)


def expectation_terms(policy: QTable, exploration: Exploration, batch: Batch, counters: Counters) -> list[Term]:
    """Return `expectation` as arithmetic."""
    values = policy.action_values(batch.next_obs, explore=True)
    chances = exploration.probabilities(only_legal(values, batch.next_obs), batch.next_obs, counters)
    rows = zip(values.tolist(), chances.tolist(), strict=True)
    return [Term(tuple(row), tuple(likely), "the weights are the probabilities of the actions") for row, likely in rows]


class QLearning:
    """y = r + discount · max_a' Q(s', a')."""

    def __init__(self, policy: QTable) -> None:
        self._policy = policy

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        values = self._policy.action_values(batch.next_obs, explore=False)
        best = only_legal(values, batch.next_obs).max(axis=1)
        return temporal_difference(self._policy, (self._policy.states(batch.obs), batch.action), batch, best)

    def bootstraps(self, batch: Batch, errors: TDErrors, counters: Counters) -> Sequence[Term]:
        values = only_legal(self._policy.action_values(batch.next_obs, explore=False), batch.next_obs)
        return [Term(tuple(row[row > -np.inf].tolist())) for row in values]


class Assignment:
    """table[cell] ← (1 − ρ) · table[cell] + ρ · y, row by row, with ρ = min(α w / n^ω, 1).

    w is the row's importance weight, and this is the cell's n-th update.
    """

    def __init__(self, policy: Tabular, learning_rate: float, power: float = 0.0) -> None:
        self._policy, self._learning_rate, self._power = policy, learning_rate, power
        self._updates = np.zeros(policy.table.shape, np.int64)

    def apply(self, batch: Batch, errors: TDErrors) -> None:
        table, updates = self._policy.table, self._updates
        cells, targets = errors.update
        for *cell, weight, target in zip(*cells, batch.weights, targets, strict=True):
            updates[*cell] += 1
            rate = min(self._learning_rate * weight / updates[*cell] ** self._power, 1.0)
            table[*cell] = (1 - rate) * table[*cell] + rate * target

    def rates(self, batch: Batch, errors: TDErrors) -> list[float]:
        """Return ρ of each row of a batch that was just applied. It changes nothing."""
        cells, _ = errors.update
        rows = list(zip(*(part.tolist() for part in cells), strict=True))
        found = []
        for row, (cell, weight) in enumerate(zip(rows, batch.weights.tolist(), strict=True)):
            number = int(self._updates[cell]) - rows[row + 1 :].count(cell)  # a cell may be in several rows
            found.append(min(self._learning_rate * weight / number**self._power, 1.0))
        return found

    def state_dict(self) -> State:
        return {"updates": self._updates.copy()}

    def load_state_dict(self, state: State) -> None:
        self._updates[...] = state["updates"]


@dataclass(frozen=True)
class CatchingUp:
    """No updates in the first `starts` environment steps, then `updates_per_step` updates for each step so far.

    An agent that learns every transition once would otherwise always be `starts` transitions behind.
    """

    batch_size: int
    starts: int
    updates_per_step: float
    overlap: bool = False

    def due(self, counters: Counters) -> int:
        return int(counters.env_steps * self.updates_per_step) if counters.env_steps > self.starts else 0


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [TabularOptions]


@hookimpl
def recommended_values() -> Mapping[str, Any]:
    return {"learning.batch_size": 1, "learning.starts": 0, "learning.updates_per_step": 1.0}


@hookimpl(trylast=True)
def make_policy(spaces: Spaces, config: Config) -> Policy:
    return QTable(States(spaces.observation), spaces.num_actions, config[TabularOptions].initial)


@hookimpl(trylast=True)
def make_sampler(config: Config) -> Sampler:
    options = config[LearningOptions]
    if options.updates_per_step * options.batch_size < 1:
        raise UsageError(
            f"tabular learns every transition once, and {options.updates_per_step:g} updates per step of "
            f"{options.batch_size} transitions each would fall ever further behind: set learning.updates_per_step or "
            "learning.batch_size so that their product is at least 1"
        )
    capacity = config[ReplayOptions].capacity
    if options.starts >= capacity:
        raise UsageError(
            f"tabular learns every transition once, and a replay of {capacity} has lost some of them after "
            f"learning.starts = {options.starts} steps: set replay.capacity higher or learning.starts lower"
        )
    return InOrderSampler()


@hookimpl(trylast=True)
def make_loss(policy: QTable) -> Loss:
    return QLearning(policy)


@hookimpl(trylast=True)
def make_optimizer(policy: Tabular, config: Config) -> Optimizer:
    options = config[TabularOptions]
    return Assignment(policy, options.learning_rate, options.power)


@hookimpl(trylast=True)
def make_target_sync() -> TargetSync:
    return NoSync()


@hookimpl(trylast=True)
def make_cadence(config: Config) -> Cadence:
    options = config[LearningOptions]
    return CatchingUp(options.batch_size, options.starts, options.updates_per_step)


@hookimpl
def conformance_values(purpose: Purpose) -> Mapping[str, Any]:
    return {"parts": {"tabular.learning_rate": 0.2}, "learning": {"tabular.learning_rate": 0.1}}.get(purpose, {})


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.tabular import checks as tabular_checks

    return checks_in(tabular_checks)
