"""Samplers for checks: built and filled, drawn from once, and drawn from until every id should have come."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from framework.conformance.checks import NotApplicable, require
from framework.conformance.subject import Subject
from framework.types import Counters, Sampler

DRAWS = 1_700
"""If each of 5 ids comes with a probability of at least 1 %, one of them is missing from these with 5 · 0.99^1700 <
2e-7. Draws from equal shares of a sum, or without replacement, miss less."""


def sampler_of(subject: Subject, capacity: int, active: Iterable[int] = ()) -> Sampler:
    """The composition's sampler, with these ids active.

    Raises:
        NotApplicable: if the buffer has no use for it.
    """
    if not subject.consumes("make_buffer", "sampler"):
        raise NotApplicable("the buffer draws by itself")
    sampler = subject.bench().sampler()
    sampler.allocate(capacity)
    ids = np.array(list(active), np.int64)
    if len(ids):
        sampler.activate(ids)
    return sampler


def draw(sampler: Sampler, n: int) -> tuple[list[int], np.ndarray]:
    """Ids and weights of one draw.

    Raises:
        Violation: if there are more or fewer than there may be, or a weight is no weight.
    """
    before = len(sampler)
    ids, weights = sampler.sample(n, Counters(env_steps=100))
    example = {"asked for": n, "len(sampler)": before, "ids": ids, "weights": weights}
    fewest, most = min(n, before), n if before else 0
    require(fewest <= len(ids) <= most, example=example, expected=f"{fewest} to {most} ids", got=len(ids))
    require(len(ids) == len(weights), example=example, expected="a weight for each id", got=len(weights))
    sound = np.isfinite(weights).all() and (weights >= 0).all() and (not len(ids) or weights.max() > 0)
    require(sound, example=example, expected="finite weights, at least 0 and not all 0", got=weights)
    return ids.tolist(), weights


def many_draws(sampler: Sampler, each: int = 5, draws: int = DRAWS) -> list[int]:
    """The ids of many draws, fewer where the sampler gives each only once."""
    given: list[int] = []
    while len(given) < draws and len(sampler):
        given += draw(sampler, each)[0]
    return given
