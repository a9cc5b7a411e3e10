"""Checks of the engine's ε-greedy exploration: the schedule of ε in each unit, and greedy actions where ε is 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import chain, product
from typing import Any

import numpy as np

from framework.assembly.manager import ENGINE
from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import A, N
from framework.conformance.fixtures.clocks import UNITS, run_counters
from framework.conformance.fixtures.explorations import Case, acting, cases, maker
from framework.conformance.subject import Subject
from framework.types import Counters

VALUES = np.array([0.0, 0.5, -1.0])
"""Action values of one environment; the second action is the greedy one."""


def _of_the_engine(subject: Subject) -> None:
    owner = subject.owner("make_exploration")
    if owner != ENGINE:
        raise NotApplicable(f"the exploration is that of {owner}, not the engine's")


def _scheduled(shape: str, start: float, final: float, horizon: int, t: int) -> float:
    """ε at time t, as the options describe it."""
    if shape == "exponential":
        return final + (start - final) * math.exp(-(t + 1) / horizon)
    return start * (1 - t / horizon) + final * t / horizon if t < horizon else final


def _epsilons(exploration: Any, case: Case) -> Mapping[str, float]:
    """ε as reported, and as computed from two probabilities: 1 − ε + ε/A of the greedy action, ε/A of another."""
    reported, found = exploration.metrics(case.counters)["epsilon"], exploration.probabilities(*case)[-1]
    return {"reported": reported, "of the greedy action": (1 - found[1]) * A / (A - 1), "of another": found[0] * A}


@check(
    "exploration",
    "make_exploration",
    Cause("ε decays in another unit, or with every call", "shivaverma/Orbit#10"),
    Cause("the schedule starts again with each episode", "google-deepmind/rlax#102"),
    Cause("ε stays at its final value, even in the next run", "hill-a/stable-baselines#758"),
)
def epsilon_follows_its_schedule(subject: Subject) -> None:
    """ε follows its schedule and depends on the counter of its unit alone, not on other counters or earlier calls.

    With exploration.share, the horizon is this share of the run's planned steps, whatever horizon and unit are.
    """
    _of_the_engine(subject)
    obs = next(cases(subject, 1)).obs
    for (start, final, horizon), shape, envs in product(
        ((0.9, 0.1, 13), (0.0, 1.0, 1)), ("linear", "exponential"), (1, N)
    ):
        options = {"start": start, "final": final, "horizon": horizon, "shape": shape}
        builder = subject.builder(
            {"run.num_envs": envs, **{f"exploration.{key}": value for key, value in options.items()}}
        )
        for unit, share in product(UNITS, (0.0, 0.5)):
            planned = {"exploration.share": share, "run.planned": 2 * horizon}
            exploration = builder.altered({"exploration.unit": unit, **planned}).exploration(acting(subject, envs))
            example = {**options, "unit": unit, "environments": envs, **planned}
            # the start of the run comes again at the end, as ε must not depend on earlier calls
            for number, counters in enumerate(chain([Counters()], run_counters(envs, 40), [Counters()])):
                case = Case(np.tile(VALUES, (envs, 1)), obs[:1].repeat(envs, axis=0), counters)
                now = counters.env_steps if share else counters[unit]
                wanted = _scheduled(shape, start, final, horizon, now)
                for how, epsilon in _epsilons(exploration, case).items():
                    expect(epsilon, wanted, example={**example, "counters": counters, "ε": how}, rtol=1e-9, atol=1e-12)
                for _ in range(number % 3):
                    exploration.choose(*case)


@check("exploration", "make_exploration", Cause("a maximum over the wrong axis, or values that are read too early"))
def without_epsilon_actions_are_greedy(subject: Subject) -> None:
    """If ε is 0, the action with the largest value is chosen, and the first one of several equal ones."""
    _of_the_engine(subject)
    exploration = maker(subject, values={"exploration.start": 0.0, "exploration.final": 0.0})()
    for case in cases(subject, 100):
        wanted = [row.index(max(row)) for row in case.values.tolist()]
        chosen = exploration.choose(*case)
        require(bool((chosen == wanted).all()), example=case.shown, expected=wanted, got=chosen)
