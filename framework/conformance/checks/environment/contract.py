"""Checks of the composition's own environment, as its plugin makes it: a black box that is reset and stepped."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.passive_env_checker import (
    check_action_space,
    check_observation_space,
    env_reset_passive_checker,
    env_step_passive_checker,
)

from framework.conformance.check import Cause, NotApplicable, Violation, check, require
from framework.conformance.fixtures.environments.episodes import Games, Played, described, games
from framework.conformance.subject import Subject


def _some_episodes(subject: Subject) -> Iterator[tuple[Games, Played]]:
    """The first steps of three episodes, one after the other in one environment."""
    with games(subject, 1) as opened:
        for seed in range(3):
            yield opened, opened.play([seed])[0]


@check("environment", "make_env", Cause("the API before gymnasium 0.26: four values, or `reset` without `seed`"))
def gymnasium_accepts_what_is_returned(subject: Subject) -> None:
    """`reset(seed=…, options=…)` returns an observation and a dict, `step` five values, and the spaces are valid.

    Gymnasium's own checkers decide. Their warnings do not count: other checks cover some, and the rest is allowed.
    """
    with games(subject, 1) as opened, warnings.catch_warnings():
        if opened.vector:
            raise NotApplicable("the plugin makes a vector environment, for which gymnasium has no check")
        warnings.simplefilter("ignore")
        env, calls = opened.singles[0], "reset(seed=0, options={}), then step(0)"
        try:
            check_observation_space(env.observation_space)
            check_action_space(env.action_space)
            begun: Any = env_reset_passive_checker(env, seed=0, options={})
            action = opened.given([opened.allowed(0, *begun)])[0]
            made: Any = env_step_passive_checker(env, action)
        except (AssertionError, gymnasium.error.Error) as error:
            raise Violation(calls, "what gymnasium's checkers accept", str(error)) from error
        for name, result, length in (("reset", begun, 2), ("step", made, 5)):
            size = len(result) if isinstance(result, tuple) else type(result).__name__
            require(size == length, example=calls, expected=f"a tuple of {length} from {name}", got=size)


@check("environment", "make_env", Cause("actions are counted from 1, or the space declares one too many"))
def every_action_is_accepted(subject: Subject) -> None:
    """The environment accepts every action from 0 to n − 1 that its mask allows."""
    with games(subject, 1) as opened:
        waiting = list(range(opened.num_actions))
        while waiting:
            try:
                played = opened.play([0], steps=len(waiting), actions=waiting)[0]
            except Exception as error:
                example = {"actions": f"Discrete({opened.num_actions})", "action": opened.latest_action}
                raise Violation(example, "a step without an error", f"{type(error).__name__}: {error}") from error
            waiting = waiting[len(played.actions) :]


@check(
    "environment",
    "make_env",
    Cause("an array of another dtype or shape, or values outside the declared bounds"),
    Cause("observations are divided by 255 but declared as uint8"),
)
def observations_lie_in_their_space(subject: Subject) -> None:
    """Every observation has the shape and dtype of the declared space, lies within its bounds and holds no NaN."""
    found = []
    for opened, played in _some_episodes(subject):
        space = opened.observation_space
        for step, obs in enumerate(played.observations):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                inside = obs in space
            if not inside:
                found.append((step, played.example(step), str(space), described(obs)))
                break
    if found:
        _, example, wanted, got = min(found, key=lambda each: each[0])
        raise Violation(example, f"an element of {wanted}", got)


@check("environment", "make_env", Cause("a division by zero, or a reward that is an array instead of a number"))
def rewards_are_finite_numbers(subject: Subject) -> None:
    """Every reward is one finite real number."""
    for _, played in _some_episodes(subject):
        for step, move in enumerate(played.moves, 1):
            reward = np.asarray(move.reward)
            number = reward.ndim == 0 and reward.dtype.kind in "biuf" and bool(np.isfinite(reward))
            require(number, example=played.example(step), expected="a finite number", got=repr(move.reward))


@check(
    "environment",
    "make_env",
    Cause("one frame skip on top of another", "openai/gym#2454"),
    Cause("a setting was changed in one place and not in the other"),
)
def metadata_can_be_read(subject: Subject) -> None:
    """The engine can read the metadata `frame_skip`, `reward_clip` and `protocol`, and they agree with each other."""
    with games(subject, 1) as opened:
        metadata = opened.metadata
    skip, clip = metadata.get("frame_skip", 1), metadata.get("reward_clip")
    whole = isinstance(skip, int | np.integer) and not isinstance(skip, bool) and skip >= 1
    require(whole, example="metadata['frame_skip']", expected="an integer of at least 1", got=repr(skip))
    if clip is not None:
        numbers = np.ndim(clip) == 1 and np.size(clip) == 2 and np.asarray(clip).dtype.kind in "biuf"
        pair = numbers and clip[0] < clip[1]
        require(pair, example="metadata['reward_clip']", expected="(low, high) with low < high", got=repr(clip))
    protocol = metadata.get("protocol", {})
    require(isinstance(protocol, Mapping), example="metadata['protocol']", expected="a dict", got=repr(protocol))
    try:
        json.dumps(protocol)
    except (TypeError, ValueError) as error:
        raise Violation("metadata['protocol']", "values that JSON can hold", str(error)) from error
    for key in ("frame_skip", "frame_stack", "stack_padding", "reward_clip"):
        if key in protocol:
            stated, wanted = (json.dumps(place.get(key), default=repr) for place in (protocol, metadata))
            require(
                stated == wanted, example=f"protocol['{key}'] against metadata['{key}']", expected=wanted, got=stated
            )


@check("environment", "make_env", Cause("an option that only one of the roles reads"))
def evaluation_shows_what_training_shows(subject: Subject) -> None:
    """The roles "train" and "evaluate" have the same spaces and frame stack, because one policy plays both."""
    with games(subject, 1) as train, games(subject, 1, "evaluate") as evaluate:
        for what, wanted, got in (
            ("observation space", train.observation_space, evaluate.observation_space),
            ("number of actions", train.num_actions, evaluate.num_actions),
            *((key, train.metadata.get(key), evaluate.metadata.get(key)) for key in ("frame_stack", "stack_padding")),
        ):
            require(wanted == got, example=f"{what} in evaluation", expected=str(wanted), got=str(got))
