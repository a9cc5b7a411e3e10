"""Checks of the policy: what it says of observations, and what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import A, B
from framework.conformance.fixtures.learners import FLOAT32, Learner, LearnerFactory, changed, leaves, targeted, weights
from framework.conformance.subject import Subject
from framework.types import Batch


def _taught(made: LearnerFactory) -> Learner:
    """A trained learner, or one as far as it comes: that learning raises is for the loss's checks to say."""
    learner = made.fresh()
    _learn(learner, made.training_batch())
    return learner


def _learn(learner: Learner, batch: Batch) -> None:
    with suppress(Exception):
        learner.learn(batch, times=3)


@check("policy", "make_policy", Cause("a dimension lost or added where there is only one row"))
def action_values_have_a_row_for_each_observation(subject: Subject) -> None:
    """N observations give finite floating-point values [N, A], for any N, one included, and any number of actions."""
    made = LearnerFactory.of(subject)
    for explore in (False, True):
        learner = _taught(made)
        for rows in (1, 2, B):
            values = learner.policy.action_values(made.observations(rows), explore=explore)
            example = {"observations": rows, "actions": A, "explore": explore}
            require(
                isinstance(values, np.ndarray), example=example, expected="a numpy array", got=type(values).__name__
            )
            require(values.dtype.kind == "f", example=example, expected="floats", got=str(values.dtype))
            require(
                values.shape == (rows, A), example=example, expected=f"shape ({rows}, {A})", got=f"shape {values.shape}"
            )
            require(bool(np.isfinite(values).all()), example=example, expected="finite values", got=values)


@check(
    "policy",
    "make_policy",
    Cause("noise is active in evaluation", "IntelLabs/coach#368"),
    Cause("whether there is noise hangs on the mode of training, which something else sets", "pytorch/rl#3069"),
)
def an_evaluation_draws_nothing(subject: Subject) -> None:
    """With explore=False the same observations have the same values, also after calls with explore=True."""
    made = LearnerFactory.of(subject)
    learner, obs = _taught(made), made.observations(B)
    before = learner.values(obs)
    expect(learner.values(obs), before, example="two calls with explore=False")
    learner.policy.action_values(obs, explore=True)
    expect(
        learner.values(obs), before, example="a call with explore=False, one with explore=True, one with explore=False"
    )


@check(
    "policy",
    "make_policy",
    Cause("statistics of the batch enter the values in an evaluation"),
    Cause("(B,) is broadcast against (B, 1)", "chainer/chainerrl#359"),
)
def action_values_do_not_depend_on_the_batch(subject: Subject) -> None:
    """In an evaluation an observation has the same values alone, among others and in another order."""
    made = LearnerFactory.of(subject)
    learner = _taught(made)
    for rows in (2, B):
        obs = made.observations(rows)
        together = learner.values(obs)
        for row in range(rows):
            example = f"row {row} of {rows} observations, asked alone"
            expect(learner.values(obs[row : row + 1])[0], together[row], example=example, **FLOAT32)
        expect(
            learner.values(obs[::-1].copy())[::-1], together, example=f"{rows} observations in reverse order", **FLOAT32
        )


@check(
    "policy",
    "make_policy",
    Cause("a view of the table, or a buffer that is used again, is handed out", "kengz/SLM-Lab#313"),
    Cause("observations are scaled in place"),
)
def action_values_are_the_callers_own(subject: Subject) -> None:
    """The values returned are the caller's: later calls do not change them, nor they the policy; observations stay."""
    made = LearnerFactory.of(subject)
    for rows in (1, 2):
        for explore in (False, True):
            learner = _taught(made)
            obs, others = made.observations(rows), made.observations(rows, key=1)
            before, kept = learner.values(obs), obs.copy()
            example = {"observations": rows, "explore": explore}
            returned = learner.policy.action_values(obs, explore=explore)
            copied = returned.copy()
            learner.policy.action_values(others, explore=explore)
            expect(returned, copied, example={**example, "looked at": "the values after a call with others"})
            expect(obs, kept, example={**example, "looked at": "the observations after the call"})
            if returned.flags.writeable:
                returned[...] = 77.0
            expect(learner.values(obs), before, example={**example, "after": "77 was written over the values"})


@check(
    "policy",
    "make_policy",
    Cause("statistics of normalisation, or the target, are not saved", "stable-baselines3 changelog"),
    Cause("only a part is loaded, or nothing"),
)
def a_loaded_policy_is_the_saved_one(subject: Subject) -> None:
    """A policy of another seed that loads a saved state has its values, and saves the same state."""
    made = LearnerFactory.of(subject)
    learner, obs = _taught(made), made.observations(B)
    saved = learner.policy.state_dict()
    other = made.reseeded().policy()
    other.load_state_dict(saved)
    example = "trained, saved, and loaded by a new policy of another seed"
    expect(np.asarray(other.action_values(obs, explore=False), np.float64), learner.values(obs), example=example)
    wanted, got = leaves(saved), leaves(other.state_dict())
    require(wanted.keys() == got.keys(), example=example, expected=sorted(wanted), got=sorted(got))
    for name, value in wanted.items():
        expect(got[name], value, example=f"{example}: '{name}' of its state")


@check("policy", "make_policy", Cause("the arrays themselves are saved or loaded, without a copy"))
def a_saved_state_stays_as_it_was(subject: Subject) -> None:
    """A saved state is a copy: neither the policy that saved it nor one that loaded it changes it by learning on."""
    made = LearnerFactory.of(subject)
    learner, obs = _taught(made), made.observations(B)
    saved = learner.policy.state_dict()
    wanted = leaves(saved)

    def unchanged(example: str) -> None:
        got = leaves(saved)
        for name, value in wanted.items():
            expect(got[name], value, example=f"{example}: '{name}' of the state")

    _learn(learner, made.batch(reward=np.full(B, 100.0), discount=np.zeros(B)))
    unchanged("a policy was saved, and learnt on")
    values = learner.values(obs)
    other = made.reseeded().fresh()
    other.policy.load_state_dict(saved)
    _learn(other, made.batch(reward=np.full(B, -100.0), discount=np.zeros(B)))
    unchanged("a policy was saved, and another loaded it and learnt on")
    expect(learner.values(obs), values, example="a policy was saved, another loaded it and learnt: values of the first")


def _target_of(subject: Subject) -> tuple[LearnerFactory, Learner, Callable[[float], dict[str, Any]]]:
    """A class, a fresh learner, and a function that moves its target and gives the policy's weights then."""
    made = LearnerFactory.of(subject)
    learner = made.fresh()
    target = targeted(learner.policy)

    def moved(fraction: float) -> dict[str, Any]:
        target.update_target(fraction)
        return weights(learner.policy)

    return made, learner, moved


@check("policy", "make_policy", Cause("the target is made anew, with random weights of its own"))
def the_target_starts_as_a_copy(subject: Subject) -> None:
    """A new policy's target equals its online part: an exact copy changes nothing."""
    _, learner, moved = _target_of(subject)
    before = weights(learner.policy)
    names = changed(before, moved(1.0))
    require(not names, example="a new policy, update_target(1)", expected="nothing changes", got=f"{names} changed")


@check(
    "policy",
    "make_policy",
    Cause("the target is the online network itself, not a copy", "keras-team/keras-io#98"),
    Cause("the copy is shallow", "tensorforce/tensorforce#81"),
    Cause("update_target does nothing"),
)
def learning_leaves_the_target_behind(subject: Subject) -> None:
    """Learning moves the online part alone, so that an exact copy afterwards changes the target."""
    made, learner, moved = _target_of(subject)
    before = weights(learner.policy)
    _learn(learner, made.training_batch())
    learnt = weights(learner.policy)
    if not changed(before, learnt):
        raise NotApplicable("learning moves nothing here, which is for the checks of loss and optimiser to say")
    example = "a new policy, three updates, update_target(1)"
    require(bool(changed(learnt, moved(1.0))), example=example, expected="the target changes", got="nothing changes")


@check(
    "policy",
    "make_policy",
    Cause("the fraction is the share of the old target, not of the online part"),
    Cause("the fraction is ignored"),
)
def a_fraction_is_the_share_of_the_online_part(subject: Subject) -> None:
    """update_target(f) moves the target by the share f of the way to the online part."""
    made, learner, moved = _target_of(subject)
    _learn(learner, made.training_batch())
    start, after_quarter, after_all = weights(learner.policy), moved(0.25), moved(1.0)
    for name, value in start.items():
        wanted = value + 0.25 * (after_all[name] - value)
        example = f"'{name}' of the state, after learning and update_target(0.25)"
        expect(after_quarter[name], wanted, example=example, **FLOAT32)


@check(
    "policy",
    "make_policy",
    Cause("observations are scaled where the agent learns and not where it acts", "Unity-Technologies/ml-agents#614"),
    Cause("they are scaled twice"),
)
def acting_sees_what_learning_sees(subject: Subject) -> None:
    """Where learning moves the value that the loss sees of Q(s, a), the value that the agent acts on moves as much."""
    made = LearnerFactory.of(subject)
    if made.discrete:
        raise NotApplicable("discrete observations are not scaled")
    learner, batch, zero = made.trained(), made.batch(1), np.zeros(1)

    def seen() -> float:
        """Q(s, a) as the loss sees it, up to a constant, from priorities that are errors."""
        far = (made.batch(1, reward=zero + reward, discount=zero) for reward in (256.0, -256.0))
        above, below = (float(learner.errors(row).priority[0]) for row in far)
        if not np.isclose(above + below, 512.0, rtol=1e-4):
            raise NotApplicable("the priorities are no plain errors")
        return (below - above) / 2

    def acted() -> float:
        return float(learner.values(batch.obs)[0, batch.action[0]])

    first, value = seen(), acted()
    if first != seen():
        raise NotApplicable("the values have noise where the agent learns")
    learner.learn(made.batch(1, reward=zero + 8.0, discount=zero), times=2)
    wanted = seen() - first
    example = (
        "by how much Q(s, a) moves in two updates on one transition: expected is the loss's, got is that of acting"
    )
    expect(acted() - value, wanted, example=example, rtol=1e-2, atol=1e-3)
