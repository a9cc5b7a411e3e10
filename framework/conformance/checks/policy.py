"""Checks of the policy: its action values, its saved state and its target network."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.fixtures.batches import A, B
from framework.conformance.fixtures.learners import FLOAT32, Learner, LearnerFactory, changed, leaves, targeted, weights
from framework.conformance.subject import Subject
from framework.types import Averaged, Batch


def _trained(made: LearnerFactory) -> Learner:
    """A trained learner. An error while learning only ends the training: the loss's checks report it."""
    learner = made.fresh()
    _learn(learner, made.training_batch())
    return learner


def _learn(learner: Learner, batch: Batch) -> None:
    with suppress(Exception):
        learner.learn(batch, times=3)


@check("policy", "make_policy", Cause("a dimension is lost or added if there is only one row"))
def action_values_have_a_row_for_each_observation(subject: Subject) -> None:
    """For any N, including 1, N observations give finite floating-point action values of shape [N, A]."""
    made = LearnerFactory.of(subject)
    for explore in (False, True):
        learner = _trained(made)
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
    Cause("noise is active in evaluations", "IntelLabs/coach#368"),
    Cause("noise depends on the network's training mode, which other code sets", "pytorch/rl#3069"),
)
def an_evaluation_draws_nothing(subject: Subject) -> None:
    """With explore=False the same observations get the same values, even after calls with explore=True."""
    made = LearnerFactory.of(subject)
    learner, obs = _trained(made), made.observations(B)
    before = learner.values(obs)
    expect(learner.values(obs), before, example="two calls with explore=False")
    learner.policy.action_values(obs, explore=True)
    expect(
        learner.values(obs), before, example="a call with explore=False, one with explore=True, one with explore=False"
    )


@check(
    "policy",
    "make_policy",
    Cause("statistics of the batch change the values in evaluations"),
    Cause("(B,) is broadcast against (B, 1)", "chainer/chainerrl#359"),
)
def action_values_do_not_depend_on_the_batch(subject: Subject) -> None:
    """With explore=False an observation gets the same values alone, among others and in another order."""
    made = LearnerFactory.of(subject)
    learner = _trained(made)
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
    Cause("the result is a view of the table, or an array that is used again", "kengz/SLM-Lab#313"),
    Cause("observations are scaled in place"),
)
def action_values_are_the_callers_own(subject: Subject) -> None:
    """A call changes neither observations nor earlier results, and writing to a result does not change the policy."""
    made = LearnerFactory.of(subject)
    for rows in (1, 2):
        for explore in (False, True):
            learner = _trained(made)
            obs, others = made.observations(rows), made.observations(rows, key=1)
            before, kept = learner.values(obs), obs.copy()
            example = {"observations": rows, "explore": explore}
            returned = learner.policy.action_values(obs, explore=explore)
            copied = returned.copy()
            learner.policy.action_values(others, explore=explore)
            expect(returned, copied, example={**example, "compared": "the values after a call with others"})
            expect(obs, kept, example={**example, "compared": "the observations after the call"})
            if returned.flags.writeable:
                returned[...] = 77.0
            expect(learner.values(obs), before, example={**example, "after": "77 was written to the result"})


@check(
    "policy",
    "make_policy",
    Cause("normalisation statistics or the target network are not saved", "stable-baselines3 changelog"),
    Cause("only a part of the state is loaded, or nothing"),
)
def a_loaded_policy_is_the_saved_one(subject: Subject) -> None:
    """A policy of another seed that loads a saved state gives the same values and saves the same state."""
    made = LearnerFactory.of(subject)
    learner, obs = _trained(made), made.observations(B)
    saved = learner.policy.state_dict()
    other = made.reseeded().policy()
    other.load_state_dict(saved)
    example = "trained, saved, and loaded by a new policy of another seed"
    expect(np.asarray(other.action_values(obs, explore=False), np.float64), learner.values(obs), example=example)
    wanted, got = leaves(saved), leaves(other.state_dict())
    require(wanted.keys() == got.keys(), example=example, expected=sorted(wanted), got=sorted(got))
    for name, value in wanted.items():
        expect(got[name], value, example=f"{example}: '{name}' of its state")


@check("policy", "make_policy", Cause("arrays are saved or loaded without a copy"))
def a_saved_state_stays_as_it_was(subject: Subject) -> None:
    """A saved state is a copy: learning changes it neither in the policy that saved it nor in one that loaded it."""
    made = LearnerFactory.of(subject)
    learner, obs = _trained(made), made.observations(B)
    saved = learner.policy.state_dict()
    wanted = leaves(saved)

    def unchanged(example: str) -> None:
        got = leaves(saved)
        for name, value in wanted.items():
            expect(got[name], value, example=f"{example}: '{name}' of the state")

    _learn(learner, made.batch(reward=np.full(B, 100.0), discount=np.zeros(B)))
    unchanged("a policy was saved and then learnt")
    values = learner.values(obs)
    other = made.reseeded().fresh()
    other.policy.load_state_dict(saved)
    _learn(other, made.batch(reward=np.full(B, -100.0), discount=np.zeros(B)))
    unchanged("a policy was saved, and another loaded the state and learnt")
    expect(learner.values(obs), values, example="a policy was saved, another loaded it and learnt: values of the first")


def _target_of(subject: Subject) -> tuple[LearnerFactory, Learner, Callable[[float], dict[str, Any]]]:
    """A factory, a fresh learner, and a function that moves its target and returns the policy's weights."""
    made = LearnerFactory.of(subject)
    learner = made.fresh()
    target = targeted(learner.policy)

    def moved(fraction: float) -> dict[str, Any]:
        target.update_target(fraction)
        return weights(learner.policy)

    return made, learner, moved


@check("policy", "make_policy", Cause("the target network is built with random weights of its own"))
def the_target_starts_as_a_copy(subject: Subject) -> None:
    """A new policy's target network equals its online network: an exact copy changes nothing."""
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
    """Learning moves the online network alone, so that an exact copy afterwards changes the target network."""
    made, learner, moved = _target_of(subject)
    before = weights(learner.policy)
    _learn(learner, made.training_batch())
    learnt = weights(learner.policy)
    if not changed(before, learnt):
        raise NotApplicable("learning moves nothing here; the checks of loss and optimiser report that")
    example = "a new policy, three updates, update_target(1)"
    require(bool(changed(learnt, moved(1.0))), example=example, expected="the target changes", got="nothing changes")


@check(
    "policy",
    "make_policy",
    Cause("the fraction is the share of the old target, not of the online network"),
    Cause("the fraction is ignored"),
)
def a_fraction_is_the_share_of_the_online_part(subject: Subject) -> None:
    """`update_target(f)` moves the target network by the fraction f of the way to the online network."""
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
    Cause("observations are scaled for learning but not for acting", "Unity-Technologies/ml-agents#614"),
    Cause("observations are scaled twice"),
)
def acting_sees_what_learning_sees(subject: Subject) -> None:
    """Learning moves the Q(s, a) that the agent acts on as much as the Q(s, a) that the loss uses."""
    made = LearnerFactory.of(subject)
    if made.discrete:
        raise NotApplicable("discrete observations are not scaled")
    learner, batch, zero = made.trained(), made.batch(1), np.zeros(1)

    def seen() -> float:
        """Q(s, a) as the loss uses it, up to a constant, computed from priorities that are errors."""
        far = (made.batch(1, reward=zero + reward, discount=zero) for reward in (256.0, -256.0))
        above, below = (float(learner.errors(row).priority[0]) for row in far)
        if not np.isclose(above + below, 512.0, rtol=1e-4):
            raise NotApplicable("the priorities are not |y − Q(s, a)|")
        return (below - above) / 2

    def acted() -> float:
        policy = learner.policy.learner if isinstance(learner.policy, Averaged) else learner.policy
        return float(policy.action_values(batch.obs, explore=False)[0, batch.action[0]])

    first, value = seen(), acted()
    if first != seen():
        raise NotApplicable("the values are noisy in learning")
    learner.learn(made.batch(1, reward=zero + 8.0, discount=zero), times=2)
    wanted = seen() - first
    example = "the change of Q(s, a) in two updates on one transition; expected: in the loss, got: in acting"
    expect(acted() - value, wanted, example=example, rtol=1e-2, atol=1e-3)
