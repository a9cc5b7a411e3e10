"""Double Q-learning (van Hasselt 2010, algorithm 1) with two tables: one selects the next action, one evaluates it.

This avoids the overestimation that comes from a maximum over noisy values. A fair coin decides which table moves:
Q_A(s, a) towards r + γ · Q_B(s', argmax_a' Q_A(s', a')), or the same with A and B exchanged. The agent acts on the mean
of both tables. The greedy action is the same as for the sum, which the paper uses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from framework.config import Config
from framework.conformance.check import Check, checks_in
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.processes.limits import require_memory
from framework.seeding import Seeds
from framework.spaces import States, only_legal
from framework.types import Batch, Counters, ExportedModel, Loss, ModelInput, Policy, Spaces, State, TDErrors
from plugins.tabular import TabularOptions, restore, temporal_difference
from plugins.tabular.arithmetic import Term


class TwoTables:
    """Two tables of action values: `table`, float64 [2, S, A]. The agent acts on their mean."""

    def __init__(self, states: States | int, actions: int, initial: float) -> None:
        states = states if isinstance(states, States) else States(states)
        needed = 2 * states.count * actions * (8 + 8)
        require_memory(
            needed, f"a pair of tables of {states.count:,} states, with counts,", "use an environment with fewer states"
        )
        self.states = states
        self.table: Float64[np.ndarray, "2 S A"] = np.full((2, states.count, actions), initial, np.float64)

    def action_values(self, obs: Shaped[np.ndarray, "N *obs"], explore: bool) -> Float64[np.ndarray, "N A"]:
        return self.table[:, self.states(obs)].mean(axis=0)

    def export(self, suffix: str, inputs: Sequence[ModelInput], metadata: str) -> ExportedModel:
        """Export the mean of both tables: see `framework.types.Exportable`."""
        from plugins.tabular.export import export_table

        return export_table(self, self.table.mean(axis=0), suffix, inputs, metadata)

    def state_dict(self) -> State:
        return {"table": self.table.copy()}

    def load_state_dict(self, state: State) -> None:
        """Restore both tables. Raises UsageError if the saved tables have another size."""
        restore(self.table, state, "two tables")


class DoubleQLearning:
    """Draws a coin for each row from a random generator of its own. All rows of a batch use the same two tables."""

    def __init__(self, policy: TwoTables, generator: np.random.Generator) -> None:
        self._policy, self._generator = policy, generator

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        selects = (self._generator.random(len(batch)) < 0.5).astype(np.int64)
        _, evaluated = self._evaluated(batch, selects)
        cells = (selects, self._policy.states(batch.obs), batch.action)
        return temporal_difference(self._policy, cells, batch, evaluated)

    def _evaluated(
        self, batch: Batch, selects: Int64[np.ndarray, " B"]
    ) -> tuple[Int64[np.ndarray, " B"], Float64[np.ndarray, " B"]]:
        """The next action that one table prefers, and what the other one says of it."""
        following = self._policy.states(batch.next_obs)
        best = only_legal(self._policy.table[selects, following], batch.next_obs).argmax(axis=1)
        evaluated = self._policy.table[1 - selects, following, best]
        return best, evaluated

    def bootstraps(self, batch: Batch, errors: TDErrors, counters: Counters) -> Sequence[Term]:
        """Return the terms for the plugin `explain`: see `plugins.tabular.arithmetic`."""
        selects = errors.update[0][0]  # the coin of each row
        best, evaluated = self._evaluated(batch, selects)
        return [
            Term(
                (value,),
                (),
                f"Q_{'AB'[table]} prefers {{}} there, and Q_{'BA'[table]} says what it is worth",
                (action,),
            )
            for table, action, value in zip(selects.tolist(), best.tolist(), evaluated.tolist(), strict=True)
        ]

    def state_dict(self) -> State:
        return {"generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: State) -> None:
        self._generator.bit_generator.state = state["generator"]


@hookimpl
def make_policy(spaces: Spaces, config: Config) -> Policy:
    if not any(isinstance(section, TabularOptions) for section in config):
        raise UsageError("double_q extends 'tabular': add tabular")
    return TwoTables(States(spaces.observation), spaces.num_actions, config[TabularOptions].initial)


@hookimpl
def make_loss(policy: TwoTables, seeds: Seeds) -> Loss:
    return DoubleQLearning(policy, seeds.generator("double_q"))


@hookimpl
def conformance_checks() -> Sequence[Check]:
    from plugins.double_q import checks as double_q_checks

    return checks_in(double_q_checks)
