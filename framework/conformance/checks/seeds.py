"""Checks of randomness: each user of it has a named random generator from the run's seed, and none is global."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import wraps
from itertools import combinations, product
from typing import Any

import numpy as np

from framework.conformance.check import Cause, NotApplicable, Violation, check, expect, require
from framework.conformance.fixtures.random_state import global_state_unchanged
from framework.conformance.subject import Subject
from framework.events import Callback
from framework.seeding import Seeds
from framework.training.loop import Loop
from framework.types import Batch, Counters, Step, TDErrors

SHORT = {"run.num_envs": 2, "run.episodes": None, "learning.starts": 20, "learning.batch_size": 8}
"""Options with which a short run makes updates."""


def _errors_mean_not_applicable(run: Callable[[Subject], None]) -> Callable[[Subject], None]:
    """Turn a part's errors into `NotApplicable`: this component comes first, and the part's own checks report them."""

    @wraps(run)
    def guarded(subject: Subject) -> None:
        try:
            run(subject)
        except (Violation, NotApplicable):
            raise
        except Exception as error:
            raise NotApplicable(f"a part raises {type(error).__name__}: {error}") from error

    return guarded


@check("seeds", "make_env", Cause("the seed plus an offset is used, so that neighbouring seeds overlap"))
def every_name_has_a_stream_of_its_own(subject: Subject) -> None:
    """Random generators with different names, indices or run seeds differ, and none depends on draws from others."""
    roots, names = (0, 1, 2, 2**32 - 1), ("exploration", "sampler", "sampler2")
    places: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2), (2, 1))
    keys = list(product(roots, names, places))
    drawn = {(root, name, place): Seeds(root).generator(name, *place).integers(2**63) for root, name, place in keys}
    whole = {(root, name, place): Seeds(root).integer(name, *place) for root, name, place in keys}
    for numbers in (drawn, whole):
        for one, other in combinations(keys, 2):
            example = {"one generator (run seed, name, indices)": one, "another": other}
            require(numbers[one] != numbers[other], example=example, expected="different numbers", got=numbers[one])
    again = Seeds(0)
    for root, name, place in reversed(keys):
        if root == 0:
            late: dict[str, Any] = {"generator": name, "indices": place, "drawn": "after others"}
            expect(again.generator(name, *place).integers(2**63), drawn[root, name, place], example=late)
            expect(again.integer(name, *place), whole[root, name, place], example=late)
    outside = [number for number in whole.values() if not 0 <= number < 2**31]
    require(not outside, example="seeds for libraries", expected="numbers in [0, 2³¹)", got=outside)


@check(
    "seeds",
    "make_env",
    Cause("one seed for all environments", "hill-a/stable-baselines#675"),
    Cause("evaluations play the episodes of training"),
    Cause("the seed is never renewed, so that an environment repeats one episode"),
    false_alarm=2e-6,
)
@_errors_mean_not_applicable
def every_episode_has_a_seed_of_its_own(subject: Subject) -> None:
    """No two episodes of a run, or of runs with neighbouring seeds, share a seed, in training or in evaluations.

    Seeds are drawn from 2³¹ numbers. Two of n = 66 are equal by chance with probability n² / 2³² = 1e-6.
    """
    found: dict[int, str] = {}
    for root in (subject.seed, subject.seed + 1):
        with subject.probed("ledger", {"run.seed": root, "run.num_envs": 3}) as parts:
            streams = {
                "train": parts.stream,
                "evaluation 1": parts.open_stream("evaluate", 3, "periodic/1"),
                "evaluation 2": parts.open_stream("evaluate", 3, "periodic/2"),
            }
            for role, stream in streams.items():
                for env_id, episode, used in _seeds_of(stream):
                    name = f"run seed {root}, {role}, environment {env_id}, episode {episode}"
                    example = {"one": found.get(used, ""), "other": name}
                    require(used not in found, example=example, expected="different seeds", got=used)
                    found[used] = name
            for role in list(streams)[1:]:
                streams[role].close()


def _seeds_of(stream: Any) -> Iterator[tuple[int, int, int]]:
    """(environment, episode, seed) of each episode that begins within six steps."""
    episodes = [0] * stream.spaces.num_envs
    envs = [env.unwrapped for env in stream.env.envs]
    yield from ((env_id, 0, env.np_random_seed) for env_id, env in enumerate(envs))
    for _ in range(6):
        stream.begin(np.zeros(len(envs), np.int64))
        step: Step = stream.finish()
        for env_id in step.env_id[step.ended].tolist():
            episodes[env_id] += 1
            yield env_id, episodes[env_id], envs[env_id].np_random_seed


@check(
    "seeds",
    "make_policy",
    Cause("a generator or an action space without a seed", "openai/gym#2680"),
    Cause("the order of a set, or uninitialised memory"),
)
@_errors_mean_not_applicable
def parts_of_one_seed_draw_the_same(subject: Subject) -> None:
    """A policy, exploration or sampler that is built twice from one seed gives the same results both times."""
    builder = subject.builder(SHORT)
    with subject.probed("ledger", SHORT) as parts:
        spaces, obs = parts.spaces, parts.stream.observations
    values = np.zeros((spaces.num_envs, spaces.num_actions), np.float32)

    def acted() -> list[Any]:
        policy = builder.policy(spaces)
        return [policy.action_values(obs, explore=True) for _ in range(3)]

    def explored() -> list[Any]:
        exploration = builder.exploration(spaces)
        return [exploration.choose(values, obs, Counters()) for _ in range(8)]

    def sampled() -> list[Any]:
        if not subject.consumes("make_buffer", "sampler"):
            return []
        sampler = builder.sampler()
        sampler.allocate(64)
        sampler.activate(np.arange(40))
        return [sampler.sample(4, Counters())[0] for _ in range(4)]

    for slot, draw in (("make_policy", acted), ("make_exploration", explored), ("make_sampler", sampled)):
        for number, (one, other) in enumerate(zip(draw(), draw(), strict=True)):
            example = {"hook": slot, "plugin": subject.owner(slot), "run.seed": subject.seed, "call": number}
            expect(other, one, example=example)


@check("seeds", "make_exploration", Cause("a constant seed in the code"), false_alarm=1e-9)
@_errors_mean_not_applicable
def another_seed_explores_differently(subject: Subject) -> None:
    """If an exploration draws random numbers, runs with different seeds choose different actions.

    Two independent runs agree in all actions with probability ∏ Σ p · p' over the rows, which has to be below 1e-9.
    """
    with subject.probed("ledger", {"run.num_envs": 5}) as parts:
        spaces, obs = parts.spaces, parts.stream.observations
    builder = subject.builder()
    one, other = (replace(builder, seeds=Seeds(root)).exploration(spaces) for root in (subject.seed, subject.seed + 1))
    values, counters = np.zeros((5, spaces.num_actions), np.float32), Counters()
    chance, seen = 1.0, set[int]()
    for _ in range(30):
        shares = [np.asarray(each.probabilities(values, obs, counters)) for each in (one, other)]
        chosen = [each.choose(values, obs, counters).tolist() for each in (one, other)]
        if chosen[0] != chosen[1]:
            return
        seen |= set(chosen[0])
        chance *= float((shares[0] * shares[1]).sum(axis=1).prod())
    # one action in all choices means that nothing is drawn, whatever the probabilities say
    if len(seen) == 1 or chance > 1e-9:
        raise NotApplicable("the exploration draws no random numbers, or almost never")
    example = {"run seeds": [subject.seed, subject.seed + 1], "values": "all 0", "probabilities": shares[0][0]}
    raise Violation(example, "different actions", "the same actions, at every step")


class _RunSpy(Callback):
    """Records the actions, rewards, sampled ids and losses of a run."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Any]] = []

    def on_step(self, step: Step, counters: Counters) -> None:
        self.entries += [("actions", step.action.copy()), ("rewards", step.raw_reward.copy())]

    def on_update(self, batch: Batch, errors: TDErrors, counters: Counters) -> None:
        self.entries += [("ids", batch.ids.copy()), ("losses", np.array(errors.loss))]


def _run(subject: Subject, steps: int) -> list[tuple[str, Any]]:
    diary = _RunSpy()
    with subject.probed("ledger", {**SHORT, "run.steps": steps}) as parts:
        Loop(parts, [diary]).run()
    return diary.entries


def _steps(subject: Subject) -> int:
    """Steps of a short run, fewer for images, whose networks are slow."""
    return 40 if subject.observations == "image" else 150


@check(
    "seeds",
    "make_policy",
    Cause("a generator or an action space without a seed", "openai/gym#2680"),
    Cause("state that outlives a run: in a class, a module or a default argument"),
)
@_errors_mean_not_applicable
def the_same_seed_is_the_same_run(subject: Subject) -> None:
    """Two runs with the same seed take the same actions, learn from the same transitions and have the same losses."""
    one, other = (_run(subject, _steps(subject)) for _ in range(2))
    for number, ((name, wanted), (_, got)) in enumerate(zip(one, other, strict=False)):
        expect(got, wanted, example={"run.seed": subject.seed, "entry": number, "what differs": name})


@check(
    "seeds",
    "make_policy",
    Cause("np.random or random instead of a generator of `seeds`"),
    Cause("a library with one global generator, so that one part shifts the numbers of another"),
)
@_errors_mean_not_applicable
def nothing_global_is_drawn_from(subject: Subject) -> None:
    """A run neither uses nor changes the global random state of numpy and Python."""
    steps = _steps(subject)  # opens the composition's own environment, which another check covers
    with global_state_unchanged("a short run"):
        _run(subject, steps)
