"""Checks of any exploration: what it returns, that it follows its own probabilities, and that a seed decides it.

An exploration must read the time from the counters and save all its state in `state_dict`. Otherwise it may choose as
it likes. One that repeats actions or counts visits need only show that in its probabilities, which the checks read
before each choice.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from gymnasium.spaces import Discrete

from framework.conformance.check import Cause, NotApplicable, Violation, check, expect, require
from framework.conformance.fixtures.batches import A, N
from framework.conformance.fixtures.explorations import (
    STAKES,
    UNALIKE,
    Case,
    acting,
    cases,
    compare_with_probabilities,
    fixed,
    maker,
    surprise,
)
from framework.conformance.subject import Subject
from framework.errors import UsageError
from framework.types import Stateful


@check("exploration", "make_exploration", Cause("actions of another integer dtype, or with an extra axis"))
def choices_are_one_action_an_environment(subject: Subject) -> None:
    """`choose` returns an int64 array with one action in [0, A) for each environment."""
    for envs in (1, N):
        exploration = maker(subject, envs)()
        for case in cases(subject, 40, envs):
            chosen = exploration.choose(*case)
            got = f"{getattr(chosen, 'dtype', type(chosen).__name__)}{list(np.shape(chosen))}: {chosen}"
            right = isinstance(chosen, np.ndarray) and chosen.dtype == np.int64 and chosen.shape == (envs,)
            require(right, example=case.shown, expected=f"int64[{envs}]", got=got)
            in_range = bool(((chosen >= 0) & (chosen < A)).all())
            require(in_range, example=case.shown, expected=f"actions from 0 to {A - 1}", got=got)


MANY = 300
"""More actions than a byte can number."""


@check(
    "exploration",
    "make_exploration",
    Cause("actions are numbered in 8 bits"),
    Cause("a table of counts has a fixed number of actions"),
    false_alarm=1e-6,
)
def each_of_many_actions_can_be_chosen(subject: Subject) -> None:
    """With 300 actions, those from 256 on are chosen as often as `probabilities` says."""
    builder = subject.builder({"run.num_envs": N})
    try:
        exploration = builder.exploration(replace(acting(subject), action=Discrete(MANY)))
    except UsageError as refusal:
        raise NotApplicable(f"{MANY} actions are refused: {refusal}") from refusal
    rng = np.random.default_rng(subject.seed)
    likely, happened = [], []
    for case in cases(subject, 120):
        values = rng.normal(size=(N, MANY)).astype(np.float32)
        values[0, -1] = 9.0
        asked = case._replace(values=values)
        probabilities = exploration.probabilities(*asked)
        chosen = exploration.choose(*asked)
        possible = (chosen >= 0) & (chosen < MANY)
        possible[possible] = probabilities[np.flatnonzero(possible), chosen[possible]] > 0
        example = {"actions": MANY, "environment steps": case.counters.env_steps}
        require(bool(possible.all()), example=example, expected="actions with a probability above 0", got=chosen)
        likely.append(probabilities[:, 256:].sum(axis=1))
        happened.append(chosen >= 256)
    stakes = (*STAKES, *(-stake for stake in STAKES))
    odd = surprise(np.stack(happened).ravel().astype(float), np.stack(likely).ravel(), stakes)
    example = {"actions": MANY, "calls": len(likely), "environments": N}
    expected, got = f"{np.sum(likely):.0f} actions from 256 on", f"{np.sum(happened):.0f}"
    require(odd <= math.log(len(stakes) / 1e-6), example=example, expected=expected, got=got)


EDGES = (0.0, 1.0, -1.0, 0.1, 1e6, -1e6)


@check(
    "exploration",
    "make_exploration",
    Cause("a softmax that overflows, because the largest value is not subtracted"),
    Cause("ties are counted twice, or the random draws of the greedy action are left out"),
)
def probabilities_are_a_distribution(subject: Subject) -> None:
    """For any values, `probabilities` returns float64 [N, A] with non-negative rows that sum to 1."""
    rows = np.stack(np.meshgrid(*[EDGES] * A, indexing="ij"), axis=-1).reshape(-1, 1, A)
    every_value = [Case(row, case.obs, case.counters) for case in cases(subject, 2, 1) for row in rows]
    several: tuple[tuple[int, Iterable[Case]], ...] = ((1, every_value), (N, cases(subject, 40)))
    for envs, given in several:
        exploration = maker(subject, envs)()
        for case in given:
            with np.errstate(all="ignore"):
                found = exploration.probabilities(*case)
            got = f"{getattr(found, 'dtype', type(found).__name__)}{list(np.shape(found))}: {found}"
            right = isinstance(found, np.ndarray) and found.dtype == np.float64 and found.shape == (envs, A)
            require(right, example=case.shown, expected=f"float64[{envs}, {A}]", got=got)
            # NaN >= 0 is false
            require(bool((found >= 0).all()), example=case.shown, expected="no negative probability, no NaN", got=found)
            expect(found.sum(axis=1), np.ones(envs), example={**case.shown, "probabilities": found}, atol=1e-6)


@check(
    "exploration",
    "make_exploration",
    Cause("the generator belongs to the class or the module, so that two explorations share it"),
)
def explorations_do_not_disturb_each_other(subject: Subject) -> None:
    """Two explorations with the same seed choose the same actions when they are called in turn."""
    make = maker(subject)
    first, second = make(), make()
    for number, (case, same) in enumerate(zip(cases(subject, 60), cases(subject, 60), strict=True), start=1):
        example = {"call": number, **case.shown}
        expect(second.choose(*same), first.choose(*case), example=example)


@check(
    "exploration",
    "make_exploration",
    Cause("`probabilities` draws random numbers or changes counts, although on-policy losses call it, too"),
)
def asking_for_probabilities_changes_nothing(subject: Subject) -> None:
    """`probabilities` returns the same twice, and neither `probabilities` nor `metrics` changes later choices."""
    make = maker(subject)
    asked, silent = make(), make()
    for number, (case, same) in enumerate(zip(cases(subject, 60), cases(subject, 60), strict=True), start=1):
        example = {"call": number, **case.shown}
        once = asked.probabilities(*case)
        asked.metrics(case.counters)
        expect(asked.probabilities(*case), once, example={"called": "twice", **example})
        expect(asked.choose(*case), silent.choose(*same), example={"called": "before each choice", **example})


@check(
    "exploration",
    "make_exploration",
    Cause(
        "values are changed in place (noise added, −inf written), or kept by reference",
        "Itomigna2/Muesli-lunarlander#1",
    ),
)
def exploring_leaves_what_it_is_given_alone(subject: Subject) -> None:
    """An exploration neither changes values, observations and counters nor needs them after the call."""
    make = maker(subject)
    used, undisturbed = make(), make()
    for number, case in enumerate(cases(subject, 60), start=1):
        given, example = copy.deepcopy(case), {"call": number, **case.shown}
        for function in (used.probabilities, used.choose):
            chosen = function(*given)
            expect(given.values, case.values, example={"after": function.__name__, **example})
            expect(given.obs, case.obs, example={"observations after": function.__name__, **example})
            require(given.counters == case.counters, example=example, expected=case.counters, got=given.counters)
        expect(chosen, undisturbed.choose(*case), example={"earlier values": "overwritten since", **example})
        given.values[...], given.obs[...] = 0, 0


# The check bets on each of the N · A cells with both signs of each stake. The probability that any of these wealths
# reaches the limit is at most 1e-6 (union bound), whatever the exploration remembers.
@check(
    "exploration",
    "make_exploration",
    Cause("random actions leave out the greedy one, or the last action is never drawn"),
    Cause("`probabilities` and `choose` use two formulas: an on-policy loss then learns for other probabilities"),
    Cause("`choose` counts its calls instead of reading the counters", "shivaverma/Orbit#10"),
    false_alarm=1e-6,
)
def choices_follow_the_probabilities(subject: Subject) -> None:
    """Each environment takes each action as often as `probabilities` says, and never one with probability 0."""
    compare_with_probabilities(maker(subject)(), fixed(subject, UNALIKE, 3_000))


@check(
    "exploration",
    "make_exploration",
    Cause("one random number decides for all environments"),
    Cause("every environment has a generator with the same state", "hill-a/stable-baselines#675"),
    false_alarm=1e-6,
)
def environments_explore_independently(subject: Subject) -> None:
    """Environments with the same values do not choose the same action more often than independent draws would."""
    exploration = maker(subject)()
    likely, happened = [], []
    for case in fixed(subject, np.tile(UNALIKE[0], (N, 1)), 1_500):
        likely.append(float(exploration.probabilities(*case).prod(axis=0).sum()))
        happened.append(float(np.ptp(exploration.choose(*case)) == 0))
    if all(probability in (0.0, 1.0) for probability in likely):
        raise NotApplicable("the exploration draws no random numbers")
    if surprise(np.array(happened), np.array(likely), STAKES) > math.log(len(STAKES) / 1e-6):
        example = {"values of each": UNALIKE[0], "environments": N, "calls": len(likely)}
        raise Violation(example, f"all actions equal about {sum(likely):.0f} times", f"{sum(happened):.0f} times")


@check(
    "exploration",
    "make_exploration",
    Cause("ε restarts: the part counts its own calls and does not save them", "ray-project/ray#28289"),
    Cause("the state of the random generator is not saved", "DLR-RM/stable-baselines3#1526"),
)
def exploration_resumes_where_it_was(subject: Subject) -> None:
    """An exploration that loads a saved state continues with the same probabilities and choices as the saved one.

    An exploration without a `state_dict` must depend on the counters alone and draw no random numbers.
    """
    make = maker(subject)
    original, resumed = make(), make()
    for number, case in enumerate(cases(subject, 120), start=1):
        if number == 61 and isinstance(original, Stateful) and isinstance(resumed, Stateful):
            # a file holds copies, not references
            resumed.load_state_dict(copy.deepcopy(original.state_dict()))
        if number > 60:
            example = {"saved after": 60, "call": number, **case.shown}
            expect(resumed.probabilities(*case), original.probabilities(*case), example=example)
        chosen = original.choose(*case)
        if number > 60:
            expect(resumed.choose(*case), chosen, example=example)
