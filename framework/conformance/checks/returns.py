"""Checks of the returns: how a window of rewards becomes one transition.

The checks fold short windows with every pattern of ends. In longer windows they put an end of each kind at each place,
followed by steps without an end or by ends alone. What they expect depends on the length that `fold` returns. So they
also hold for returns whose windows wait for more steps than they fold, as SARSA's do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from framework.conformance.check import Cause, NotApplicable, check, expect, require
from framework.conformance.subject import Subject
from framework.types import Returns

GAMMAS = (0.5, 0.9, 0.0, 1.0)
KINDS = ((False, False), (True, False), (False, True), (True, True))
"""(terminated, truncated) of a step."""
SIGNS = (".", "t", "u", "b")
"""The kinds as examples show them: no end, terminated, truncated, both."""
SHORT = 4
"""The longest windows that are tried with every pattern of ends."""


@dataclass(frozen=True)
class Folded:
    """All windows for one γ, and what `fold` returned for them."""

    gamma: float
    horizon: int
    ends: list[tuple[int, ...]]
    """For each window, the index in `KINDS` of each step."""
    reward: np.ndarray
    returns: np.ndarray
    discount: np.ndarray
    length: np.ndarray

    def last(self, row: int) -> int | None:
        """The first column in which the episode ends, or None."""
        return next((column for column, kind in enumerate(self.ends[row]) if kind), None)

    def used(self, row: int) -> tuple[int, ...]:
        """The kinds of the columns that `fold` used according to the length."""
        return self.ends[row][: int(self.length[row])]

    def example(self, row: int) -> Mapping[str, Any]:
        """The window as a violation shows it."""
        ends = " ".join(SIGNS[kind] for kind in self.ends[row])
        signs = "t terminated, u truncated, b both"
        return {"γ": self.gamma, "rewards": self.reward[row], "ends": f"{ends} ({signs})", "length": self.length[row]}


def _returns(subject: Subject, gamma: float) -> Returns:
    if not subject.consumes("make_buffer", "returns"):
        raise NotApplicable("the buffer makes its own returns")
    return subject.builder({"returns.gamma": gamma}).returns()


def _patterns(n: int) -> list[tuple[int, ...]]:
    """The patterns of ends to try; the first one has no end."""
    if n <= SHORT:
        return sorted(product(range(4), repeat=n), key=lambda ends: (sum(kind > 0 for kind in ends), ends))
    quiet = (0,) * n
    single = [(*quiet[:place], kind, *quiet[place + 1 :]) for place, kind in product(range(n), (1, 2, 3))]
    busy = [
        (*quiet[:place], *(1 + (kind + j) % 3 for j in range(n - place))) for place in range(n) for kind in range(3)
    ]
    return [quiet, *single, *busy]


def _folds(subject: Subject, spoil: float | None = None) -> Iterator[Folded]:
    """The results for every pattern of ends with each γ; `spoil` replaces the rewards after an end."""
    for gamma in GAMMAS:
        returns = _returns(subject, gamma)
        n = returns.horizon
        ends = _patterns(n)
        # float32 cannot hold these numbers exactly
        reward = np.tile(np.arange(2, n + 2) + 0.1, (len(ends), 1))
        terminated, truncated = (np.array([[KINDS[kind][flag] for kind in row] for row in ends]) for flag in (0, 1))
        if spoil is not None:
            ended = terminated | truncated
            reward[np.cumsum(ended, axis=1) - ended > 0] = spoil
        yield Folded(gamma, n, ends, reward, *returns.fold(reward.copy(), terminated, truncated))


@check(
    "returns",
    "make_returns",
    Cause("the window continues after the end of its episode, or after a truncation", "younggyoseo/FastTD3#7"),
    Cause("`truncated` does not count as an end", "CleanRL rainbow_atari.py"),
)
def length_stops_at_the_first_end(subject: Subject) -> None:
    """A window uses its steps up to the first end, terminated or truncated; windows without an end use equally many."""
    for folded in _folds(subject):
        whole = int(folded.length[0])
        limits = {"windows without an end use": whole, "horizon": folded.horizon}
        require(1 <= whole <= folded.horizon, example=limits, expected="from 1 to the horizon", got=whole)
        for row in range(len(folded.ends)):
            last = folded.last(row)
            wanted = whole if last is None else min(last + 1, whole)
            expect(folded.length[row], wanted, example=folded.example(row))


@check(
    "returns",
    "make_returns",
    Cause("γ is used instead of γⁿ", "younggyoseo/FastTD3#6"),
    Cause("the exponent is computed from the ends, so that it is 0", "takuseno/d3rlpy#346"),
    Cause("a γ of its own instead of the option `returns.gamma`", "Curt-Park/rainbow-is-all-you-need#66"),
)
def discount_is_gamma_to_the_length(subject: Subject) -> None:
    """A window of k steps without a termination has the discount γ^k."""
    for folded in _folds(subject):
        for row in range(len(folded.ends)):
            if not any(KINDS[kind][0] for kind in folded.used(row)):
                wanted = folded.gamma ** float(folded.length[row])
                expect(folded.discount[row], wanted, example=folded.example(row), rtol=1e-12)


@check(
    "returns",
    "make_returns",
    Cause("only the first step's flag is used, not those of all steps in the window", "ray-project/ray#2929"),
    Cause("truncation sets the discount to 0", "openai/baselines#436"),
)
def only_termination_ends_the_bootstrap(subject: Subject) -> None:
    """If γ > 0, the discount is 0 exactly when a used step terminated; a truncation does not make it 0."""
    for folded in _folds(subject):
        for row in range(len(folded.ends) if folded.gamma else 0):
            over = any(KINDS[kind][0] for kind in folded.used(row))
            expect(folded.discount[row] == 0, over, example={**folded.example(row), "compared": "is the discount 0"})


@check(
    "returns",
    "make_returns",
    Cause("the last rewards of an episode are left out", "ray-project/ray#2929"),
    Cause("a γ of its own instead of the option `returns.gamma`", "Curt-Park/rainbow-is-all-you-need#66"),
    Cause("sums in float32"),
)
def return_is_the_discounted_sum(subject: Subject) -> None:
    """The return is r₀ + γ r₁ + … + γ^(k−1) r₍ₖ₋₁₎ over the k used steps."""
    for folded in _folds(subject):
        for row in range(len(folded.ends)):
            used = folded.reward[row, : folded.length[row]].tolist()
            wanted = sum(folded.gamma**j * reward for j, reward in enumerate(used))
            expect(folded.returns[row], wanted, example=folded.example(row), rtol=1e-12)


@check(
    "returns",
    "make_returns",
    Cause("values after an end are multiplied by 0 instead of left out: NaN · 0 is NaN", "anthonytorlucci/rlevo#192"),
    Cause("the window crosses into the next episode", "younggyoseo/FastTD3#7"),
)
def nothing_behind_an_end_is_used(subject: Subject) -> None:
    """Rewards after the end of an episode never change the result, not even if they are NaN or infinite."""
    for clean, *spoilt in zip(_folds(subject), *(_folds(subject, by) for by in (1e6, np.nan, np.inf)), strict=True):
        for folded, row in product(spoilt, range(len(clean.ends))):
            got = (folded.returns[row], folded.discount[row], folded.length[row])
            wanted = (clean.returns[row], clean.discount[row], clean.length[row])
            expect(got, wanted, example={**folded.example(row), "compared": "return, discount, length"})


@check("returns", "make_returns", Cause("a sum over the wrong axis"), Cause("an array that is kept between calls"))
def windows_are_folded_each_for_itself(subject: Subject) -> None:
    """The result for a window does not depend on the other windows in the same call."""
    for folded in _folds(subject):
        returns = _returns(subject, folded.gamma)
        for row in range(min(len(folded.ends), 30)):
            kinds = np.array([[KINDS[kind] for kind in folded.ends[row]]])
            alone = returns.fold(folded.reward[row : row + 1].copy(), kinds[..., 0], kinds[..., 1])
            for name, got, wanted in zip(
                ("return", "discount", "length"), alone, (folded.returns, folded.discount, folded.length), strict=True
            ):
                example = {**folded.example(row), "compared": f"the {name} alone, and among {len(folded.ends)} windows"}
                expect(got, wanted[row : row + 1], example=example, rtol=1e-12)


@check("returns", "make_returns", Cause("in-place arithmetic on the window, which may be the buffer's own array"))
def folding_changes_nothing_else(subject: Subject) -> None:
    """`fold` does not change the window, and later changes of the window do not change what `fold` returned."""
    returns = _returns(subject, 0.5)
    n = returns.horizon
    given = [np.arange(2.0, n + 2)[None], np.zeros((1, n), np.bool_), np.zeros((1, n), np.bool_)]
    given[2][0, n // 2] = True
    before = [array.copy() for array in given]
    result = returns.fold(*given)
    kept = [array.copy() for array in result]
    for name, array, was in zip(("rewards", "terminated", "truncated"), given, before, strict=True):
        expect(array, was, example=f"{name} after they were folded")
        array[...] = True
    for name, array, was in zip(("return", "discount", "length"), result, kept, strict=True):
        expect(array, was, example=f"the {name} after the window's arrays were overwritten")
