"""Tabular learning towards the mellowmax (Asadi & Littman 2017): mm(Q) = ln(mean of e^(ωQ)) / ω in the maximum's place.

The loss is |δ| and the priority is √|δ|. For `tabular`, whose optimiser is told which cells move, and towards what.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from framework.config import Config, Field, Section
from framework.hooks import hookimpl
from framework.spaces import only_legal
from framework.types import Batch, Counters, Loss, Policy, TDErrors

CHECK_WITH = "tabular,chain"


class MellowOptions(Section, name="mellow"):
    """How near to the maximum."""

    omega: float = Field(60.0, gt=0, description="ω: 0 would be the mean, ∞ the maximum")


def mellowmax(values: Sequence[float], omega: float) -> float:
    highest = max(values)
    return highest + math.log(sum(math.exp(omega * (value - highest)) for value in values) / len(values)) / omega


class MellowLoss:
    def __init__(self, policy: Any, omega: float) -> None:
        self.policy, self.omega = policy, omega

    def __call__(self, batch: Batch, counters: Counters) -> TDErrors:
        goals, errors, states = [], [], self.policy.states(batch.obs)
        for row in range(len(batch)):
            goal = float(batch.reward[row])
            if batch.discount[row]:
                there = batch.next_obs[row : row + 1]
                following = only_legal(self.policy.action_values(there, explore=False), there)[0]
                goal += float(batch.discount[row]) * mellowmax(following[following > -np.inf].tolist(), self.omega)
            goals.append(goal)
            errors.append(abs(goal - float(self.policy.table[states[row], batch.action[row]])))
        cells = (states.copy(), batch.action.copy())
        return TDErrors(np.array(errors, np.float64), np.sqrt(np.array(errors, np.float64)), (cells, np.array(goals)))


@hookimpl
def config_sections() -> Sequence[type[Section]]:
    return [MellowOptions]


@hookimpl
def make_loss(policy: Policy, config: Config) -> Loss:
    return MellowLoss(policy, config[MellowOptions].omega)
