"""What explorations are put through: values and observations along the clock of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces import Discrete

from framework.conformance.clocks import a_run
from framework.conformance.samples import A, N, some_batch
from framework.conformance.subject import Subject
from framework.types import Counters, Exploration, Spaces


class Case(NamedTuple):
    """What an exploration is given."""

    values: np.ndarray
    obs: np.ndarray
    counters: Counters

    @property
    def shown(self) -> Mapping[str, object]:
        """Without the observations, which may be images."""
        return {"values": self.values, "environment steps": self.counters.env_steps}


def acting(subject: Subject, envs: int = N) -> Spaces:
    """The composition's own observations, `A` actions and this many environments."""
    return replace(subject.spaces, action=Discrete(A), num_envs=envs)


def maker(subject: Subject, envs: int = N, values: Mapping[str, Any] | None = None) -> Callable[[], Exploration]:
    """Makes the composition's exploration for this many environments, each time from the start of its random stream."""
    bench, spaces = subject.bench({"run.num_envs": envs, **(values or {})}), acting(subject, envs)
    return lambda: bench.exploration(spaces)


def cases(subject: Subject, count: int, envs: int = N) -> Iterator[Case]:
    """Along a run: values in quarters, so with ties among them, of both float types; fresh arrays each time."""
    rng = np.random.default_rng(subject.seed)
    seen = _observations(subject, envs, rng)
    for index, counters in enumerate(islice(a_run(envs, count), count)):
        values = rng.integers(-8, 9, (envs, A)) / 4
        yield Case(
            values.astype((np.float32, np.float64)[index % 2]), seen[index % len(seen)].copy(), replace(counters)
        )


def fixed(subject: Subject, values: np.ndarray, count: int) -> Iterator[Case]:
    """The same values and observations again and again: a third each at the start, on the way and late in a run."""
    obs = _observations(subject, len(values), np.random.default_rng(subject.seed))[0]
    moments = (Counters(), Counters(100, 400, 40, 9), Counters(5_000, 20_000, 2_000, 400))
    for index in range(count):
        yield Case(values, obs, moments[index * len(moments) // count])


def _observations(subject: Subject, envs: int, rng: np.random.Generator) -> list[np.ndarray]:
    spaces = acting(subject, envs)
    return [some_batch(spaces, rng, rows=envs).obs for _ in range(4)]


def surprise(happened: np.ndarray, probability: np.ndarray, stakes: tuple[float, ...]) -> float:
    """How sure it is that events do not have these probabilities, each given all that went before.

    Whoever bets on an event e^λ to 1 at a fair price has e^(λ · happened) / (1 + p (e^λ − 1)) times as much after it,
    1 on average. So a wealth of w or more is ever reached with probability 1/w at most (Ville's inequality).

    Args:
        happened, probability: of each event, 0 or 1 and p.
        stakes: λ, above 0 to bet on more events than expected, below on fewer.

    Returns:
        ln of the largest wealth that one of the stakes has in the end.
    """
    fair = [np.log1p(np.clip(probability, 0, 1) * np.expm1(stake)) for stake in stakes]
    return max(float((stake * happened - price).sum()) for stake, price in zip(stakes, fair, strict=True))
