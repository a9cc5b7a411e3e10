"""Runs the best values of a sweep, and the defaults, with fresh seeds: these results are not the best of many."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from framework.config import Source
from framework.errors import UsageError
from framework.search.definition import Definition
from framework.search.ledger import Trial
from framework.search.objective import objective_of
from framework.study.arms import Arm, check_arm
from framework.study.improvement import Probability, probability_of_improvement
from framework.study.statistics import Estimate, estimate
from framework.study.study import Study, run_checked

CONFIRM = "confirm"
"""The folder of the study in the folder of the sweep."""
DEFAULTS = "defaults"


@dataclass(frozen=True)
class Confirmed:
    """The best values beside the defaults, each with seeds that the sweep has not used."""

    study: Study
    seeds: range
    best: Estimate
    of_best: tuple[float, ...]
    defaults: Estimate | None
    """None if the composition cannot run without values of the sweep."""
    of_defaults: tuple[float, ...]
    better: Probability | None
    """The probability that a run with the best values is better than one with the defaults."""
    note: str = ""


def confirm(
    folder: Path, definition: Definition, best: Trial, count: int, jobs: int | None, on: str = "local"
) -> Confirmed:
    """Run the best trial's values and the defaults with `count` fresh seeds each, as an ordinary study.

    The same call continues a study that was stopped.

    Raises:
        UsageError: if another process runs this study.
        FrameworkError: if a finished run has no objective.
    """
    shared = Source("values of the sweep", definition.values, unread="refused")
    label, note = f"trial {best.number}", ""
    arms = [check_arm(Arm(label, definition.plugins, best.values), [shared])]
    try:
        arms.append(check_arm(Arm(DEFAULTS, definition.plugins), [shared]))
    except UsageError as error:
        note = f"no comparison with the defaults: {'; '.join(error.problems)}"
    first = definition.seed + definition.seeds
    seeds = range(first, first + count)
    study = run_checked(arms, seeds, folder / CONFIRM, jobs=jobs, on=on, show_progress=True)
    found: dict[str, list[float | None]] = {arm.label: [None] * count for arm in arms}
    for result in study.results:
        found[result.arm][result.seed - first] = objective_of(result.folder, definition.objective)
    ours, theirs = found[label], found.get(DEFAULTS)
    return Confirmed(
        study=study,
        seeds=seeds,
        best=estimate(ours),
        of_best=tuple(value for value in ours if value is not None),
        defaults=None if theirs is None else estimate(theirs),
        of_defaults=tuple(value for value in theirs or () if value is not None),
        better=None if theirs is None else probability_of_improvement(ours, theirs),
        note=note,
    )
