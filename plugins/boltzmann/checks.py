"""The check of `boltzmann`: its action probabilities follow the formula."""

from __future__ import annotations

import math

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect
from framework.conformance.fixtures.batches import A
from framework.conformance.fixtures.explorations import acting, cases
from framework.conformance.subject import Subject

ROWS = ([0, 0, 0], [0, 0, 1], [0, 1, 2], [-1, 0.25, 3], [1e6, 1e6 + 1, 0])


@check(
    "exploration",
    "make_exploration",
    Cause("the values are multiplied by the temperature, not divided"),
    Cause("the subtracted maximum is that of all rows together, or along the wrong axis"),
)
def boltzmann_weighs_actions_by_their_values(subject: Subject) -> None:
    """π(a|s) is exp(Q(s, a)/τ) / Σ_b exp(Q(s, b)/τ) with τ = boltzmann.temperature, and τ is reported."""
    if subject.owner("make_exploration") != "boltzmann":
        raise NotApplicable("another plugin decorates boltzmann")
    spaces, builder = acting(subject), subject.builder()
    _, obs, counters = next(cases(subject, 1))
    values = np.array(ROWS)
    assert values.shape == (spaces.num_envs, A)
    for temperature in (1.0, 0.5, 10.0, 0.1):
        exploration = builder.altered({"boltzmann.temperature": temperature}).exploration(spaces)
        expect(
            exploration.metrics(counters)["temperature"], temperature, example={"boltzmann.temperature": temperature}
        )
        found = exploration.probabilities(values, obs, counters)
        for row, of_row in zip(values.tolist(), found, strict=True):
            weights = [math.exp((value - max(row)) / temperature) for value in row]
            wanted = [weight / math.fsum(weights) for weight in weights]
            expect(of_row, wanted, example={"τ": temperature, "values": row}, rtol=1e-9)
