"""Updates of a table as arithmetic: what a loss and an optimiser tell, and the line that `explain` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from framework.types import Batch, Counters, Spaces, TDErrors

DIGITS = 6
"""Digits of a number that is printed."""

EXACT = 1e-12
"""A number counts as rounded if what is printed differs by more than this share of it."""


@dataclass(frozen=True)
class Term:
    """What a target bootstraps from: a number, the largest of several, or a weighted sum."""

    numbers: tuple[float, ...]
    weights: tuple[float, ...] = ()
    """If there are any, the term is the sum of weight · number; otherwise it is the largest number."""
    comment: str = ""
    """What the numbers are, in words, with a {} for the name of each of `actions`."""
    actions: tuple[int, ...] = ()


@runtime_checkable
class Arithmetic(Protocol):
    """A loss of the tabular family that can write what it bootstraps from as arithmetic."""

    def bootstraps(self, batch: Batch, errors: TDErrors, counters: Counters) -> Sequence[Term]:
        """Return the term of each row of a batch.

        The plugin `explain` calls this right after the loss, with its result, and before the table changes.
        """
        ...


@runtime_checkable
class Rated(Protocol):
    """An optimiser of the tabular family that can say how far each row of a batch moved its cell."""

    def rates(self, batch: Batch, errors: TDErrors) -> Sequence[float]:
        """Return ρ of each row of a batch that was just applied: cell ← cell + ρ · (target − cell), row by row."""
        ...


@dataclass(frozen=True)
class Update:
    """One row of an update: entry ← old + rate · (reward + discount · term − old) = new."""

    number: int
    """The number of the update, from 1. A batch of several rows is one update."""
    cell: tuple[int, ...]
    """The index in the table: state and action; with two tables, the table before them."""
    old: float
    rate: float
    reward: float
    discount: float
    term: Term
    new: float

    def describe(self, spaces: Spaces, gamma: float = 1.0) -> str:
        """The update as one line.

        Args:
            gamma: γ of the run. Without it, a discount of 0 says that the episode terminated.
        """
        *table, state, action = self.cell
        name = f"Q{''.join('_' + 'AB'[one] for one in table)}({state}, {spaces.name_of(action)})"
        numbers = _Numbers()
        old, rate, reward = numbers(self.old), numbers(self.rate), numbers(self.reward)
        bootstrap = comment = ""
        if self.discount:
            bootstrap = f" + {numbers(self.discount)} · {_written(self.term, numbers)}"
            comment = self.term.comment.format(*map(spaces.name_of, self.term.actions))
        elif self.term.numbers:
            comment = f"{'the episode terminated' if gamma else 'γ = 0'}: no next value counts"
        subtracted = f"({old})" if old.startswith("−") else old
        arithmetic = f"{old} + {rate} · ({reward}{bootstrap} − {subtracted})"
        new = numbers(self.new)
        sign = "≈" if numbers.rounded else "="
        return f"update {self.number}: {name} ← {arithmetic} {sign} {new}{f' | {comment}' if comment else ''}"


class _Numbers:
    """Writes numbers with up to `DIGITS` digits, and remembers whether one was rounded."""

    def __init__(self) -> None:
        self.rounded = False

    def __call__(self, number: float) -> str:
        text = f"{number:.{DIGITS}g}"
        self.rounded |= abs(float(text) - number) > EXACT * abs(number)
        return text.replace("-", "−", 1) if text.startswith("-") else text


def _written(term: Term, numbers: _Numbers) -> str:
    texts = [numbers(number) for number in term.numbers]
    if term.weights:
        parts = [f"{numbers(weight)} · {_bracketed(text)}" for weight, text in zip(term.weights, texts, strict=True)]
        return f"({' + '.join(parts)})"
    return f"max({', '.join(texts)})" if len(texts) > 1 else _bracketed(texts[0])


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text
