"""Checks of any exploration: what it returns, that it keeps to its own probabilities, and that a seed decides it.

Time is what the counters say, and state what `state_dict` saves; beyond that, how an exploration comes to its choice
is its own affair. So one that is in the middle of something (repeats an action, counts visits) need only say so in its
probabilities, which are asked for anew before each choice.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable

import numpy as np

from framework.conformance.check import Cause, NotApplicable, Violation, check, expect, require
from framework.conformance.fixtures.batches import A, N
from framework.conformance.fixtures.explorations import Case, cases, fixed, maker, surprise
from framework.conformance.subject import Subject
from framework.types import Stateful


@check("exploration", "make_exploration", Cause("actions in another integer type, or with an axis too many"))
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


EDGES = (0.0, 1.0, -1.0, 0.1, 1e6, -1e6)


@check(
    "exploration",
    "make_exploration",
    Cause("a softmax that overflows: the largest value was not subtracted"),
    Cause("ties counted twice, or probability lost where the greedy action is drawn at random, too"),
)
def probabilities_are_a_distribution(subject: Subject) -> None:
    """`probabilities` returns float64 [N, A], each row not negative and with a sum of 1, whatever the values."""
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
            # a NaN is not at least 0
            require(bool((found >= 0).all()), example=case.shown, expected="no negative probability, no NaN", got=found)
            expect(found.sum(axis=1), np.ones(envs), example={**case.shown, "probabilities": found}, atol=1e-6)


@check(
    "exploration",
    "make_exploration",
    Cause("the generator belongs to the class or the module, so that a second exploration draws from it, too"),
)
def explorations_do_not_disturb_each_other(subject: Subject) -> None:
    """Two explorations of one seed choose the same actions when they are asked in turn."""
    make = maker(subject)
    first, second = make(), make()
    for number, (case, same) in enumerate(zip(cases(subject, 60), cases(subject, 60), strict=True), start=1):
        example = {"call": number, **case.shown}
        expect(second.choose(*same), first.choose(*case), example=example)


@check(
    "exploration",
    "make_exploration",
    Cause("probabilities are found by drawing, or with a side effect on counts: on-policy losses ask for them, too"),
)
def asking_for_probabilities_changes_nothing(subject: Subject) -> None:
    """`probabilities` gives the same twice, and neither it nor `metrics` changes what is chosen afterwards."""
    make = maker(subject)
    asked, silent = make(), make()
    for number, (case, same) in enumerate(zip(cases(subject, 60), cases(subject, 60), strict=True), start=1):
        example = {"call": number, **case.shown}
        once = asked.probabilities(*case)
        asked.metrics(case.counters)
        expect(asked.probabilities(*case), once, example={"asked": "twice", **example})
        expect(asked.choose(*case), silent.choose(*same), example={"asked": "before each choice", **example})


@check(
    "exploration",
    "make_exploration",
    Cause(
        "values are changed in place (noise added, −inf written), or kept by reference",
        "Itomigna2/Muesli-lunarlander#1",
    ),
)
def exploring_leaves_what_it_is_given_alone(subject: Subject) -> None:
    """Values, observations and counters are not written to, and are not needed after the call."""
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


UNALIKE = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]], np.float32)
STAKES = (0.1, 0.3, 1.0)


# Each of the N · A cells is bet on with both signs of each stake; all of the wealths together reach the sum of the
# thresholds with probability 1e-6 at most, whatever the exploration remembers.
@check(
    "exploration",
    "make_exploration",
    Cause("the greedy action is left out of the random ones, or the last action is never drawn"),
    Cause("`probabilities` and `choose` are two formulas: an on-policy loss then learns about another policy"),
    Cause("`choose` tells the time by its calls, not by the counters", "shivaverma/Orbit#10"),
    false_alarm=1e-6,
)
def choices_follow_the_probabilities(subject: Subject) -> None:
    """Each environment takes each action as often as `probabilities` says, and none whose probability is 0."""
    exploration = maker(subject)()
    probabilities, chosen = [], []
    for case in fixed(subject, UNALIKE, 3_000):
        probabilities.append(exploration.probabilities(*case))
        chosen.append(exploration.choose(*case))
        possible = probabilities[-1][np.arange(N), chosen[-1]] > 0
        if not possible.all():
            example = {**case.shown, "probabilities": probabilities[-1]}
            raise Violation(example, "actions of a probability above 0", chosen[-1])
    likely, taken = np.stack(probabilities), np.eye(A)[np.stack(chosen)]
    limit = math.log(N * A * 2 * len(STAKES) / 1e-6)
    for row in range(N):
        for action in range(A):
            happened, expected = taken[:, row, action], likely[:, row, action]
            if surprise(happened, expected, (*STAKES, *(-stake for stake in STAKES))) > limit:
                example = {"environment": row, "values": UNALIKE[row], "action": action, "calls": len(chosen)}
                raise Violation(example, f"chosen about {expected.sum():.0f} times", f"{happened.sum():.0f} times")


@check(
    "exploration",
    "make_exploration",
    Cause("one random number decides for all environments"),
    Cause("one generator state in each environment", "hill-a/stable-baselines#675"),
    false_alarm=1e-6,
)
def environments_explore_independently(subject: Subject) -> None:
    """Environments with the same values do not act in unison more often than chance has it."""
    exploration = maker(subject)()
    likely, happened = [], []
    for case in fixed(subject, np.tile(UNALIKE[0], (N, 1)), 1_500):
        likely.append(float(exploration.probabilities(*case).prod(axis=0).sum()))
        happened.append(float(np.ptp(exploration.choose(*case)) == 0))
    if all(probability in (0.0, 1.0) for probability in likely):
        raise NotApplicable("it draws no random numbers")
    if surprise(np.array(happened), np.array(likely), STAKES) > math.log(len(STAKES) / 1e-6):
        example = {"values of each": UNALIKE[0], "environments": N, "calls": len(likely)}
        raise Violation(example, f"all alike about {sum(likely):.0f} times", f"{sum(happened):.0f} times")


@check(
    "exploration",
    "make_exploration",
    Cause("ε restarts: the part counts its own calls and does not save them", "ray-project/ray#28289"),
    Cause("the state of the random generator is not saved", "DLR-RM/stable-baselines3#1526"),
)
def exploration_resumes_where_it_was(subject: Subject) -> None:
    """One that was saved and loaded goes on as if nothing had happened: the same probabilities and the same choices.

    Without a `state_dict`, everything must be in the counters, and nothing be drawn.
    """
    make = maker(subject)
    original, resumed = make(), make()
    for number, case in enumerate(cases(subject, 120), start=1):
        if number == 61 and isinstance(original, Stateful) and isinstance(resumed, Stateful):
            # a file holds no references
            resumed.load_state_dict(copy.deepcopy(original.state_dict()))
        if number > 60:
            example = {"saved after": 60, "call": number, **case.shown}
            expect(resumed.probabilities(*case), original.probabilities(*case), example=example)
        chosen = original.choose(*case)
        if number > 60:
            expect(resumed.choose(*case), chosen, example=example)
