"""Checks of action masks: no forbidden action is taken or learnt from, and masks that allow all change nothing.

The other checks run without masks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from framework.conformance.check import Cause, NotApplicable, Violation, check, expect, require
from framework.conformance.checks.agent import FALSE_ALARM, JUDGE_EVERY, LADDER, SECONDS
from framework.conformance.fixtures.batches import A, B, N, some_batch
from framework.conformance.fixtures.environments.extremes import Choices
from framework.conformance.fixtures.explorations import (
    UNALIKE,
    Case,
    acting,
    cases,
    compare_with_probabilities,
    fixed,
)
from framework.conformance.fixtures.learners import LearnerFactory, bootstrapping
from framework.conformance.fixtures.learning import ValuesJudge, learn
from framework.conformance.fixtures.masking import masked, with_masks
from framework.conformance.fixtures.snapshots import digests, snapshot
from framework.conformance.fixtures.spies import short, single_environments
from framework.conformance.subject import Subject
from framework.environments.edge import Edge
from framework.environments.stream import TransitionStream
from framework.errors import UnsupportedSpace, UsageError
from framework.spaces import legal_actions, only_legal
from framework.training.evaluation import evaluate
from framework.training.loop import Loop
from framework.types import Step, TDErrors


@contextmanager
def _if_masks_are_served() -> Iterator[None]:
    """A part that refuses observations with masks is not accused."""
    try:
        yield
    except UsageError as error:
        if isinstance(error, UnsupportedSpace) or isinstance(error.__cause__, UnsupportedSpace):
            raise NotApplicable(f"the composition serves no masks: {error}") from error
        raise


def _random_masks(rng: np.random.Generator, rows: int) -> np.ndarray:
    masks = rng.random((rows, A)) < 0.5
    masks[np.arange(rows), rng.integers(A, size=rows)] = True
    return masks


@check(
    "masks",
    "make_env",
    Cause("the mask is not read at a reset, or it is that of the step before"),
    Cause("the mask of a terminated episode, which may forbid everything, is taken for a mistake"),
)
def masks_are_those_of_the_observations(subject: Subject) -> None:
    """Every observation has the mask that the environment gave with it. A terminal one allows every action."""
    for mode in AutoresetMode:
        stream = _choices(mode)
        for number in range(ROUNDS):
            example = {"mode": mode.value, "step": number}
            wanted = np.stack([env.mask == 1 for env in _envs(stream)])
            wanted[~wanted.any(axis=1)] = True
            seeds = [env.seed for env in _envs(stream)]
            expect(_legal(stream.observations), wanted, example={**example, "field": "observations"})
            step = _some_step(stream, number)
            expect(_legal(step.obs), wanted[step.env_id], example={**example, "field": "obs"})
            shown = step.next_obs["place"].tolist()
            following = [Choices.mask_at(seeds[env], place) == 1 for env, place in zip(step.env_id, shown, strict=True)]
            masks = np.array(following, np.bool_).reshape(-1, 6) | step.terminated[:, None]
            expect(_legal(step.next_obs), masks, example={**example, "field": "next_obs"})
        stream.close()


@check("masks", "make_env", Cause("actions of other episodes, which the masks forbid, are sent when a run is restored"))
def episodes_are_played_again_within_their_masks(subject: Subject) -> None:
    """A stream that is restored in the middle of episodes shows the observations and masks of the one that went on."""
    for steps in range(1, ROUNDS):
        one, other = _choices(AutoresetMode.DISABLED), _choices(AutoresetMode.DISABLED)
        for number in range(steps):
            _some_step(one, number)
        other.load_state_dict(one.state_dict())
        found, wanted = other.observations, one.observations
        expect(found.tobytes() == wanted.tobytes(), True, example=f"restored after {steps} steps: the same frames")
        one.close()
        other.close()


ROUNDS = 9


def _choices(mode: AutoresetMode) -> TransitionStream:
    """Two environments with masks. The second one's episodes end a step earlier than the first one's, or later."""
    env = SyncVectorEnv([lambda: Edge(Choices(masks=True))] * 2, autoreset_mode=mode)
    return TransitionStream(env, lambda env_id, episode: 3 * env_id + 5 * episode)


def _envs(stream: TransitionStream) -> list[Any]:
    env: Any = stream.env
    return [single.unwrapped for single in env.envs]


def _legal(obs: np.ndarray) -> np.ndarray:
    legal = legal_actions(obs)
    assert legal is not None
    return legal


def _some_step(stream: TransitionStream, number: int) -> Step:
    """A step with the allowed action that is the `number`-th from the end, or counts round."""
    allowed = [np.flatnonzero(legal) for legal in _legal(stream.observations)]
    stream.begin(np.array([each[-1 - number % len(each)] for each in allowed]))
    return stream.finish()


@check(
    "masks",
    "make_exploration",
    Cause("random actions are drawn among all actions"),
    Cause("the greedy action is the best of all actions"),
)
def no_forbidden_action_is_taken(subject: Subject) -> None:
    """For any mask, `choose` takes an allowed action, and `probabilities` gives the others 0 and sums to 1."""
    rng = np.random.default_rng(subject.seed)
    spaces = masked(acting(subject))
    with _if_masks_are_served():
        exploration = subject.builder({"run.num_envs": N}).exploration(spaces)
    anywhere = some_batch(spaces, rng, rows=N).obs
    for case in cases(subject, 200):
        masks = _random_masks(rng, N)
        obs = with_masks(masks, anywhere)
        given = Case(only_legal(case.values, obs), obs, case.counters)
        example = {**given.shown, "allowed": masks}
        found = exploration.probabilities(*given)
        require(bool((found[~masks] == 0).all()), example=example, expected="0 for forbidden actions", got=found)
        expect(found.sum(axis=1), np.ones(N), example={**example, "probabilities": found}, atol=1e-6)
        chosen = exploration.choose(*given)
        require(bool(masks[np.arange(N), chosen].all()), example=example, expected="allowed actions", got=chosen)


SOME = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]], np.bool_)
"""Masks of `N` environments."""


@check(
    "masks",
    "make_exploration",
    Cause("random actions leave out an allowed one, or some are likelier than others"),
    Cause("`probabilities` and `choose` use two formulas"),
    false_alarm=1e-6,
)
def choices_among_the_allowed_follow_the_probabilities(subject: Subject) -> None:
    """Each environment takes each allowed action as often as `probabilities` says."""
    spaces = masked(acting(subject))
    with _if_masks_are_served():
        exploration = subject.builder({"run.num_envs": N}).exploration(spaces)
    obs = with_masks(SOME, some_batch(spaces, np.random.default_rng(subject.seed), rows=N).obs)
    given = (Case(only_legal(case.values, obs), obs, case.counters) for case in fixed(subject, UNALIKE, 3_000))
    compare_with_probabilities(exploration, given)


@check(
    "masks",
    "make_loss",
    Cause("the maximum, the softmax or the mean over next actions includes those that the mask forbids"),
    Cause("the online network selects the next action among all of them"),
)
def no_forbidden_action_is_bootstrapped_from(subject: Subject) -> None:
    """With one next action allowed, the losses depend on which one it is."""
    with _if_masks_are_served():
        _losses_depend_on_what_is_allowed(subject)


def _losses_depend_on_what_is_allowed(subject: Subject) -> None:
    unmasked = bootstrapping(subject)
    made = replace(unmasked, spaces=masked(unmasked.spaces))
    alone = [_errors(made, np.eye(A, dtype=np.bool_)[[action] * B]) for action in range(A)]
    different = [not np.allclose(one.loss, alone[0].loss, rtol=1e-6, atol=1e-7) for one in alone[1:]]
    example = "one next action allowed: 0, 1 or 2"
    require(any(different), example=example, expected="other losses", got=f"the same: {alone[0].loss}")


def _errors(made: LearnerFactory, masks: np.ndarray) -> TDErrors:
    following = with_masks(masks, made.batch().next_obs)
    return made.trained().errors(made.batch(next_obs=following, next_action=masks.argmax(axis=1)))


@check(
    "masks",
    "",
    Cause("random numbers are drawn differently when there are masks"),
    Cause("a network gets the mask as an observation"),
)
def a_mask_that_allows_all_changes_nothing(subject: Subject) -> None:
    """A run with masks that allow every action is the run without masks: the same actions, weights and memories."""
    found = []
    for masks in ("none", "all"):
        with _if_masks_are_served(), subject.probed("ledger", {**short(subject, 2), "probe.masks": masks}) as parts:
            Loop(parts).run()
            taken = [entry.action for env in single_environments(subject, parts.stream) for entry in env.log]
            parts_learnt = {name: state for name, state in snapshot(parts).items() if name in LEARNT}
            found.append({"actions": taken, **digests(parts_learnt)})
    for name, wanted in found[0].items():
        expect(np.asarray(found[1][name] == wanted), True, example=f"{name}, with masks that allow all")


LEARNT = ("policy", "optimizer", "exploration", "counters")


@check(
    "masks",
    "",
    Cause("forbidden actions are taken in training or in evaluations"),
    Cause("values of forbidden actions, which are never learnt, get into the targets"),
    false_alarm=FALSE_ALARM,
    seconds=SECONDS,
)
def learns_without_forbidden_actions(subject: Subject) -> None:
    """Where the action that pays elsewhere is forbidden, the agent learns the value −1 of the one that is left."""
    values: Mapping[str, Any] = {**LADDER, **subject.values_for("learning"), "probe.masks": "some"}
    with _if_masks_are_served(), subject.probed("forbidden", values) as parts:
        env = single_environments(subject, parts.stream)[0]
        judge = ValuesJudge(parts, env, 0.5, 0.2)
        learn(parts, judge, JUDGE_EVERY, {"environment": "the probe 'forbidden'", "γ": 0.5})
        result = evaluate(parts, name="masked", episodes=10, epsilon=0.0)
        if not set(result.returns) <= {-1.0, 1.0}:
            raise Violation("an evaluation of 10 episodes", "returns of −1 and 1", result.returns)
