"""A table with optimistic, random initial values: untried actions look good, and no two actions look the same.

The loss and the optimiser come from the family `tabular`. They change the cells of `table`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Shaped

from framework.config import Config, Field, Section
from framework.errors import UsageError
from framework.hooks import hookimpl
from framework.seeding import Seeds
from framework.spaces import States
from framework.types import Policy, Spaces, State

CHECK_WITH = "tabular,chain"
"""The plugins that the command `check` adds, so that the composition is complete."""


class MyVariantOptions(Section, name="my_variant"):
    """The initial values of the table."""

    optimism: float = Field(1.0, description="the mean of the initial values")
    spread: float = Field(0.1, ge=0, description="the largest distance of an initial value from that mean")


class MyVariantTable:
    """`table` [S, A] contains the value of each action in each state; `states(obs)` numbers the states."""

    def __init__(self, states: States, actions: int, options: MyVariantOptions, generator: np.random.Generator) -> None:
        self.states = states
        noise = generator.uniform(-1.0, 1.0, (states.count, actions))
        self.table: Float64[np.ndarray, "S A"] = options.optimism + options.spread * noise

    def action_values(self, obs: Shaped[np.ndarray, "N *obs"], explore: bool) -> Float64[np.ndarray, "N A"]:
        return self.table[self.states(obs)]

    def state_dict(self) -> State:
        return {"table": self.table.copy()}

    def load_state_dict(self, state: State) -> None:
        """Restore the table. Raises UsageError if the saved one has another shape."""
        saved = state.get("table")
        if not isinstance(saved, np.ndarray) or saved.shape != self.table.shape:
            raise UsageError(f"the weights are not a table of shape {self.table.shape}")
        self.table[...] = saved


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MyVariantOptions]


@hookimpl
def make_policy(spaces: Spaces, config: Config, seeds: Seeds) -> Policy:
    states = States(spaces.observation)  # refuses spaces that are not finite
    return MyVariantTable(states, spaces.num_actions, config[MyVariantOptions], seeds.generator("my_variant"))
