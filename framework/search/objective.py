"""What a sweep maximises: one number from each run, and its mean over the runs of a trial."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from framework.errors import FrameworkError
from framework.recording.metrics import METRICS
from framework.recording.rows import read_rows
from framework.study.results import read_run

LAST = 3
"""Evaluations of which `last` is the mean."""

OBJECTIVES: Mapping[str, str] = {
    "last": f"the mean return of the last {LAST} evaluations",
    "best": "the mean return of the best evaluation",
    "final": "the mean return of the last 100 training episodes",
    "area": "the area under the curve of training: the running mean of the last 100 episodes, averaged over the run",
}

OF_EVALUATIONS = ("last", "best")
"""Objectives that need evaluations."""


def objective_of(run: Path, name: str) -> float:
    """The objective of a finished run.

    Raises:
        FrameworkError: if the run does not have it, for example because no evaluation took place.
    """
    if name in OF_EVALUATIONS:
        # a confirmation has the step of the evaluation that it confirms or refutes, and stands in its place
        rows = {row["env_steps"]: row["mean"] for row in read_rows(run / METRICS) if row["kind"] == "evaluation"}
        means = list(rows.values())
        used = means[-LAST:] if name == "last" else means
        if not used or None in used:
            what = "no evaluation" if not used else "an evaluation without a finished episode"
            raise FrameworkError(f"{run}: {what}, so there is no objective '{name}'")
        value = sum(used) / len(used) if name == "last" else max(used)
    else:
        result = read_run(run, "", 0)
        found = result.final if name == "final" else result.area
        if found is None:
            raise FrameworkError(f"{run}: no finished episode, so there is no objective '{name}'")
        value = found
    if not math.isfinite(value):
        raise FrameworkError(f"{run}: the objective '{name}' is {value}")
    return float(value)
