"""Checks that an environment's episodes depend on their seeds and actions alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from framework.conformance.check import Cause, NotApplicable, Violation, check, require
from framework.conformance.fixtures.environments.episodes import Played, described, difference, games
from framework.conformance.fixtures.random_state import global_state_unchanged
from framework.conformance.subject import Subject
from framework.environments.declared import episodes_per_seed_of


@check(
    "environment",
    "make_env",
    Cause("seed 0 is treated as no seed, as in `if seed:`", "ale-py changelog"),
    Cause("state is left over from the previous episode"),
    Cause("`super().reset(seed=seed)` is missing, or the random numbers come from elsewhere"),
)
def the_same_seed_and_actions_give_the_same_episode(subject: Subject) -> None:
    """An episode depends on its seed and actions alone, not on earlier episodes or on the instance."""
    seeds = range(8)
    with games(subject, 1) as one, games(subject, 1) as other:
        # in opposite orders, so that a different episode comes before each one
        first = {seed: one.play([seed], steps=16, tune=seed)[0] for seed in seeds}
        second = {seed: other.play([seed], steps=16, tune=seed)[0] for seed in reversed(seeds)}
    for seed in seeds:
        _require_same(first[seed], second[seed], "in a second instance, after other episodes")


def _require_same(one: Played, other: Played, when: str) -> None:
    found = difference(one, other)
    if found is None:
        return
    step, what, wanted, got = found
    left, right = np.asarray(wanted), np.asarray(got)
    if left.shape == right.shape and left.size > 8:
        place = np.argwhere(left != right)[0]
        what, left, right = f"{what} at {place.tolist()}", left[tuple(place)], right[tuple(place)]
    raise Violation({**one.example(step), "played again": when}, f"{what}: {described(left)}", described(right))


@check(
    "environment",
    "make_env",
    Cause("one seed for all environments", "hill-a/stable-baselines#675"),
    Cause("one random generator for all environments"),
)
def each_game_follows_its_own_seed(subject: Subject) -> None:
    """In parallel environments, an episode depends on its own environment's seed and not on the others'."""
    others = (1, 2)
    with games(subject) as opened:
        varied = [opened.play((0, seed), steps=24) for seed in others]
        if opened.one_seed:
            raise NotApplicable("the vector environment takes one seed for all its environments")
        swapped = [opened.play((seed, 0), steps=24) for seed in others]
    for seed, played in zip(others, varied, strict=True):
        _require_same(varied[0][0], played[0], f"beside an environment with seed {seed}, not {others[0]}")
    if any(difference(swapped[0][0], played[0]) for played in swapped):
        differs = any(difference(varied[0][1], played[1]) for played in varied)
        example = f"seeds {list(others)} of the second environment, the same actions"
        require(differs, example=example, expected="different episodes, as in the first", got="equal episodes")


@check("environment", "make_env", Cause("a seed of its own instead of the given one"), false_alarm=2e-6)
def the_seed_reaches_what_is_random(subject: Subject) -> None:
    """If episodes without a seed differ, episodes with different seeds differ, too.

    If an episode has probability m, all 40 seeds and at most 5 of 12 unseeded episodes give it with probability
    m⁴⁰ · P(Bin(12, m) ≤ 5), which is below 1.1e-6 for every m.
    """
    with games(subject, 1) as opened:
        first = opened.play([0])[0]
        if any(difference(first, opened.play([seed])[0]) for seed in range(1, 6)):
            return
        if not any(difference(first, played) for played in _unseeded(subject, 4)):
            raise NotApplicable("nothing is random: unseeded episodes with the same actions are equal")
        if any(difference(first, opened.play([seed])[0]) for seed in range(6, 40)):
            return
    if sum(difference(first, played) is not None for played in _unseeded(subject, 12)) >= 7:
        raise Violation("seeds 0 to 39, the same actions", "different episodes", "equal episodes")


def _unseeded(subject: Subject, count: int) -> Iterator[Played]:
    """Episodes of new environments that never got a seed."""
    for _ in range(count):
        with games(subject, 1) as opened:
            yield opened.play()[0]


@check(
    "environment",
    "make_env",
    Cause("starts and play draw from one generator, and `episodes_per_seed` says that they do not"),
)
def episodes_without_a_seed_follow_the_last_one(subject: Subject) -> None:
    """With `episodes_per_seed`, an episode depends on the last seed and the resets since, not on what was played."""
    with games(subject, 1) as one, games(subject, 1) as other:
        declared = episodes_per_seed_of(one.metadata)
        if declared == 1:
            raise NotApplicable("each episode has a seed: the environment declares no episodes_per_seed")
        one.play([0], steps=16, tune=1)
        other.play([0], steps=3, tune=2)
        for number in range(1, min(declared, 8)):
            if number % 2:
                first, second = (opened.play(steps=16, tune=number)[0] for opened in (one, other))
                _require_same(first, second, f"as episode {number} after seed 0, after other actions in between")
            else:
                one.play(steps=5, tune=number)
                other.play(steps=16, tune=number + 1)


@check(
    "environment",
    "make_env",
    Cause("instances keep their state in an array or list of the class or the module"),
)
def instances_share_nothing(subject: Subject) -> None:
    """An environment does the same while another instance is played at the same time."""
    with games(subject, 1) as opened:
        alone = opened.play([0])
    with games(subject, 1) as one, games(subject, 1) as other:
        beside = other.moves([5], tune=1)
        together: list[Played] = []
        for played in one.moves([0]):
            together = played
            if next(beside, None) is None:
                beside = other.moves([6], tune=2)
    _require_same(alone[0], together[0], "with steps of another environment in between")


@check("environment", "make_env", Cause("np.random or random instead of the environment's own generator"))
def no_global_random_state_is_used(subject: Subject) -> None:
    """The environment neither uses nor changes the global random state of numpy and Python."""
    with global_state_unchanged("an episode of seed 0"), games(subject, 1) as opened:
        opened.play([0])
