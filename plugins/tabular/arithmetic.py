"""Updates of a table as arithmetic, for the plugin `explain`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from framework.types import Batch, Counters, TDErrors


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
