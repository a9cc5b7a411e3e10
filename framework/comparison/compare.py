"""A whole comparison: what was gathered, what was measured, what differs and what a reader must be warned of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from framework.comparison.differences import Difference, differences, warnings
from framework.comparison.gathering import ComparedArm, gather
from framework.comparison.measures import MeasuredArm, lengths, measured
from framework.comparison.recorded import KEYS
from framework.errors import UsageError, did_you_mean
from framework.study.report import LENGTHS_DIFFER
from framework.study.results import AXES, Axis


@dataclass(frozen=True)
class Comparison:
    """Arms beside each other."""

    arms: tuple[MeasuredArm, ...]
    """The arms that have runs."""
    empty: tuple[ComparedArm, ...]
    """Arms of studies without a complete run."""
    axis: Axis
    what: str
    """What the curves show: "return" or "evaluation"."""
    threshold: float | None
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    """Why the arms' returns must not be compared; empty if they may be."""
    notes: tuple[str, ...]

    @property
    def shows(self) -> str:
        """What the curves show, in words."""
        return "mean return of an evaluation" if self.what == "evaluation" else "mean return of the last 100 episodes"


def compare(
    places: Sequence[Path], *, x: str = "steps", what: str = "return", threshold: float | None = None
) -> Comparison:
    """Gather and measure the runs in these folders. Reads files only; no plugin is imported.

    Args:
        places: folders of runs, of studies and of arms of studies. See `gather`.
        x: what the curves are drawn against, a key of `AXES`.
        what: what they show: "return", the running mean of training, or "evaluation".
        threshold: a return whose first time is measured.

    Raises:
        UsageError: if a name or the threshold is wrong, or as `gather` does.
    """
    for name, given, known in (("x", x, AXES), ("of", what, KEYS)):
        if given not in known:
            hint = did_you_mean(given, list(known))
            raise UsageError(f"--{name} {given}: choose one of {', '.join(known)}.{hint}")
    if threshold is not None and not math.isfinite(threshold):
        raise UsageError(f"--threshold {threshold}: must be a finite number")
    found = gather(places)
    axis = AXES[x]
    arms = [measured(arm, axis, what, threshold) for arm in found.arms if arm.runs]
    notes = list(found.notes)
    shortest, longest = lengths(arms)
    if longest > LENGTHS_DIFFER * shortest:
        notes.append(
            f"the runs end between {axis.text(shortest)} and {axis.text(longest)} {axis.label}, so their areas are "
            "averages over different lengths"
        )
    for arm in arms:
        silent = [name for name, curve in zip(arm.arm.names_of_runs(), arm.curves, strict=True) if not len(curve.x)]
        if silent:
            missing = "finished episode" if what == "return" else "evaluation"
            notes.append(f"arm '{arm.label}' has no {missing} in {', '.join(silent)}, and no common curve")
    return Comparison(
        tuple(arms),
        tuple(arm for arm in found.arms if not arm.runs),
        axis,
        what,
        threshold,
        tuple(differences(found.arms)),
        tuple(warnings(found.arms, what)),
        tuple(notes),
    )
